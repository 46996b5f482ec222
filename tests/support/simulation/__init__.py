"""Studies, answers and windows drawn from known truth."""

"""Two recorded studies against each other."""

"""From records to answers: the recommendation and its reason, causes, comparisons. Pure."""

"""A study from its plan to its answer: blocks, searches, scenarios, one host or several."""

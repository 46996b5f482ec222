"""Checks on the measurement itself: what the figures of a run are worth, what of a machine disturbs it."""

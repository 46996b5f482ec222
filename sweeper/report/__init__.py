"""Reads what a study left behind; never starts or measures anything."""

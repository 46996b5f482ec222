"""Answers as JSON objects for machines; keys are only ever added."""

"""Real studies and the naive method on this machine, and a report of both: `python -m tests.real`."""

"""`python -m sweeper` is `sweeper`."""

from sweeper.cli.start import run

run()

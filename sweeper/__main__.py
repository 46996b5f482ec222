"""`python -m sweeper` is `sweeper`."""

from sweeper.cli.main import run

run()

"""Load on the server: locust in a process of its own, and the raw log of every request it made."""

from sweeper.load.generator import LocustGenerator

__all__ = ["LocustGenerator"]

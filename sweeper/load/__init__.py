"""Load on the server: locust in a process of its own, and the raw log of every request it made."""

from sweeper.load.generator import LocustGenerator
from sweeper.load.hosts import Hosts

__all__ = ["Hosts", "LocustGenerator"]

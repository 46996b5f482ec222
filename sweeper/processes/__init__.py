"""Starting programs whose processes can be ended without a rest, also when sweeper itself is killed."""

from sweeper.processes.managed import ManagedProcess, spawn
from sweeper.processes.tail import tail

__all__ = ["ManagedProcess", "spawn", "tail"]

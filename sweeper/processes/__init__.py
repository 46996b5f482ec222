"""Programs that sweeper starts: none outlives it, all of their processes stop, go on and end together.

managed_process.py   `spawn`, and sweeper's side of a program under guard
guard.py             the process in between, a script of its own
control_group.py     the control groups that a process is in, and what the kernel killed there
resource_limits.py   CPU and memory limits: control groups of our own
container.py         what runs in a container that a program has started
program_log.py       what a program wrote: kept short, and its last lines
measuring_lock.py    one measurement at a time on a machine
"""

from sweeper.processes.container import Container, StartsContainer
from sweeper.processes.managed_process import ManagedProcess, spawn
from sweeper.processes.program_log import tail

__all__ = ["Container", "ManagedProcess", "StartsContainer", "spawn", "tail"]

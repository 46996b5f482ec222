"""Programs that sweeper starts: none outlives it, all of their processes stop, go on and end together.

managed_process.py   `spawn`: a program under guard, from its start to its end
guard.py             the process in between, a script of its own
guard_client.py      sweeper's side of the talk with that process
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

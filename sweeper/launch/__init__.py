"""Starting model servers: four launchers, what they set for the server, and the cores it gets.

launchers.py          `fastapi` (ours) and `command` (any command line)
shell_syntax.py       what of a command line only a shell could read
drum.py               `drum` (the installed `drum server`), and whether it has the pool at all
remote.py             `remote` (a server that a command of the user's restarts)
restart_command.py    that command: its placeholders, and one call of it
container_command.py  `podman run` and `docker run` as a server command
environment.py        the variables that are set for the server, and those it inherits
core_placement.py     which cores the server gets and which the load generator
ports.py              free ports, what if one is taken, and who answers there: the server or another
server.py             a server process from its start until it has stopped
"""

from sweeper.launch.core_placement import Placement, place_cores
from sweeper.launch.drum import DrumLauncher
from sweeper.launch.environment import inherited_settings
from sweeper.launch.launchers import CommandLauncher, FastApiLauncher, LaunchOptions, ServerLauncher
from sweeper.launch.remote import RemoteLauncher
from sweeper.launch.server import LaunchedServer

__all__ = [
    "CommandLauncher",
    "DrumLauncher",
    "FastApiLauncher",
    "LaunchOptions",
    "LaunchedServer",
    "Placement",
    "RemoteLauncher",
    "ServerLauncher",
    "inherited_settings",
    "place_cores",
]

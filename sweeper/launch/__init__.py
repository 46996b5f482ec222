"""Starting model servers: three launchers, what they set for the server, and the cores it gets."""

from sweeper.launch.drum import DrumLauncher
from sweeper.launch.environment import inherited_settings
from sweeper.launch.launchers import CommandLauncher, FastApiLauncher, LaunchOptions, ServerLauncher
from sweeper.launch.placement import Placement, place_cores
from sweeper.launch.server import LaunchedServer

__all__ = [
    "CommandLauncher",
    "DrumLauncher",
    "FastApiLauncher",
    "LaunchOptions",
    "LaunchedServer",
    "Placement",
    "ServerLauncher",
    "inherited_settings",
    "place_cores",
]

"""The outside world on a simulated clock: every Protocol of `sweeper.run.interfaces`, deterministic by seed.

A `World` holds the clock, what was started, and how servers behave. The load is a closed system of N
users, simulated user by user, so that throughput, latency and think time obey Little's law by themselves.
"""

from __future__ import annotations

from tests.support.fakes.behaviour import Behaviour, Script, generator, noisy
from tests.support.fakes.study import MemoryStore, Watching
from tests.support.fakes.world import World, world_of

__all__ = ["Behaviour", "MemoryStore", "Script", "Watching", "World", "generator", "noisy", "world_of"]

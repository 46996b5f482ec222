"""What a machine is like for a study: facts in, one judgement per line out (`sweeper doctor`)."""

from sweeper.machine.checks import machine_checks, no_proc
from sweeper.machine.facts import Busy, Check, CheckState, MachineFacts, before_a_study, fit
from sweeper.machine.noise import Noise, noise_check, noise_unknown

__all__ = [
    "Busy",
    "Check",
    "CheckState",
    "MachineFacts",
    "Noise",
    "before_a_study",
    "fit",
    "machine_checks",
    "no_proc",
    "noise_check",
    "noise_unknown",
]

"""The quick checks of a machine, one for each fact. sweeper also makes them before every study.

`told_by_study` marks a problem that a study refuses (preflight.py) or reports in a finding, so that sweeper
reports it only once.
"""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.checks.thresholds import Limits
from sweeper.records.machine import TURBO_OFF, Check, CheckState, MachineFacts
from sweeper.records.wording import core_count
from sweeper.settings.notation import format_cpu_list
from sweeper.statistics.host_noise import HostNoise


def machine_checks(facts: MachineFacts, limits: Limits | None = None) -> tuple[Check, ...]:
    """All that is judged in a moment, in the order of the table."""
    limits = limits or Limits()
    return (
        _cores(facts),
        _affinity(facts),
        _quota(facts),
        _governor(facts),
        _turbo(facts),
        _others(facts, limits),
        _steal(facts, limits),
        _open_files(facts),
        _ports(facts, limits),
        _support("PSI", facts.pressure, "pressure on the cores"),
        _support("schedstat", facts.schedstat, "waits in the run queue"),
        _locust(facts),
        _drum(facts),
    )


def _cores(facts: MachineFacts) -> Check:
    count = len(facts.affinity)
    seen = core_count(facts.cores) + (f", {facts.cpu_model}" if facts.cpu_model else "")
    if count == 1:
        why = "server and load generator share one core: both affect the figures"
        return Check("cores", CheckState.WARNING, seen, why, told_by_study=True)
    why = (
        "server and load generator share them; from 4 on, each gets cores of its own"
        if facts.cores_shared
        else "server and load generator get cores of their own"
    )
    return Check("cores", CheckState.OK, seen, why)


def _affinity(facts: MachineFacts) -> Check:
    if len(facts.affinity) >= facts.cores:
        return Check("affinity", CheckState.OK, "all cores may be used", "the answer holds for all of them")
    seen = f"cores {format_cpu_list(facts.affinity)} of {facts.cores}"
    why = f"the answer will hold for {core_count(len(facts.affinity))} only"
    return Check("affinity", CheckState.WARNING, seen, why, f"taskset -pc 0-{facts.cores - 1} $$")


def _quota(facts: MachineFacts) -> Check:
    name, quota = "CPU quota", facts.cpu_quota_cores
    if not facts.cpu_quota_known:
        return Check(name, CheckState.UNAVAILABLE, "no CPU control group visible", "a quota would go unseen")
    if quota is None:
        return Check(name, CheckState.OK, "none", "nothing stops the server; --cpu-limit gives it a quota")
    seen = core_count(quota)
    if quota >= len(facts.affinity):
        return Check(name, CheckState.OK, seen, "no less than the cores that may be used")
    return Check(
        name,
        CheckState.WARNING,
        f"{seen} on {len(facts.affinity)}",
        "it also covers the load generator, which takes CPU from the server (a study reports how much)",
        f"outside of the quota: sweeper grid --cpu-limit {quota:g}   (or here, with other hosts: "
        "--expect-load-workers 2)",
        told_by_study=True,
    )


def _governor(facts: MachineFacts) -> Check:
    if not facts.governors:
        return Check(
            "governor", CheckState.UNAVAILABLE, "not visible", "on a virtual machine, the host decides it"
        )
    seen = ", ".join(facts.governors)
    if facts.governors == ("performance",):
        return Check("governor", CheckState.OK, seen, "the clock does not follow the load")
    return Check(
        "governor",
        CheckState.WARNING,
        seen,
        "the clock follows the load: values that leave cores idle are measured on slower cores",
        "sudo cpupower frequency-set -g performance",
    )


def _turbo(facts: MachineFacts) -> Check:
    if facts.turbo is None:
        return Check(
            "turbo", CheckState.UNAVAILABLE, "not visible", "on a virtual machine, the host decides it"
        )
    if not facts.turbo:
        return Check("turbo", CheckState.OK, "off", "the clock does not change with heat and load")
    switch = facts.turbo_switch
    remedy = (
        f"echo {TURBO_OFF[switch]} | sudo tee /sys/devices/system/cpu/{switch}" if switch in TURBO_OFF else ""
    )
    why = "the clock changes with heat and with how many cores are busy"
    return Check("turbo", CheckState.WARNING, "on", why, remedy)


def _others(facts: MachineFacts, limits: Limits) -> Check:
    name, used = "other load", facts.busy.other_cpu_cores
    if used is None:
        return Check(name, CheckState.UNAVAILABLE, "/proc/stat does not say", "sweeper would not see it")
    seen = f"{used:.2f} cores over {facts.busy.seconds:g} s"
    if used <= max(limits.other_cpu_cores, limits.other_cpu_share * facts.cores):
        return Check(name, CheckState.OK, seen, "the cores are free for the study")
    if facts.busy.busiest:
        who = (f"{process} (pid {pid}) {cores:.2f}" for process, pid, cores in facts.busy.busiest)
        seen += f": {', '.join(who)}"
    why = "takes cores from the server: runs become suspect and do not count"
    return Check(name, CheckState.WARNING, seen, why, "top -o %CPU   (then stop it or wait)")


def _steal(facts: MachineFacts, limits: Limits) -> Check:
    share = facts.busy.steal_share
    if share is None:
        return Check("steal", CheckState.UNAVAILABLE, "/proc/stat does not say", "only on virtual machines")
    seen = f"{share:.1%} of a core over {facts.busy.seconds:g} s"
    if share <= limits.steal_share:
        return Check("steal", CheckState.OK, seen, "the hypervisor leaves the cores to this machine")
    why = "the hypervisor gives the cores to others: runs become suspect and do not count"
    return Check("steal", CheckState.WARNING, seen, why, told_by_study=True)


def _open_files(facts: MachineFacts) -> Check:
    allowed, needed = facts.open_files, facts.open_files_needed
    seen = "no limit" if allowed is None else f"at most {allowed}"
    if allowed is None or allowed >= needed:
        return Check("open files", CheckState.OK, seen, f"{facts.users} users need {needed}")
    return Check(
        "open files",
        CheckState.WARNING,
        seen,
        f"{facts.users} users need {needed}: sweeper refuses a study of so many",
        f"sudo prlimit --pid $$ --nofile={needed}:{needed}",
        told_by_study=True,
    )


def _ports(facts: MachineFacts, limits: Limits) -> Check:
    if not facts.loopback:
        return Check(
            "ports",
            CheckState.IMPOSSIBLE,
            "no server can be reached on 127.0.0.1",
            "every server of a study listens there",
            "sudo ip link set lo up",
        )
    if facts.port_range is None:
        why = "each user's connection needs one, too"
        return Check("ports", CheckState.UNAVAILABLE, "the range is not visible", why)
    low, high = facts.port_range
    seen = f"{high - low + 1} ({low} to {high})"
    if high - low + 1 >= limits.fewest_ports:
        return Check("ports", CheckState.OK, seen, "each server and each connection of the load needs one")
    return Check(
        "ports",
        CheckState.WARNING,
        seen,
        "each connection of the load needs one, and keeps it for a minute after its end",
        "sudo sysctl -w net.ipv4.ip_local_port_range='32768 60999'",
    )


def _support(name: str, there: bool, what: str) -> Check:
    if there:
        return Check(name, CheckState.OK, "there", f"{what}: recorded with every run")
    remedy = "boot with psi=1 on the kernel's command line" if name == "PSI" else ""
    return Check(name, CheckState.UNAVAILABLE, "not on this kernel", f"{what}: missing from the runs", remedy)


def _locust(facts: MachineFacts) -> Check:
    version = facts.packages.get("locust")
    if version is None:
        return Check(
            "locust", CheckState.IMPOSSIBLE, "not installed", "it makes the load", "pip install locust"
        )
    return Check("locust", CheckState.OK, version, "makes the load")


def _drum(facts: MachineFacts) -> Check:
    version = facts.packages.get("datarobot-drum")
    why = "it makes the predictions, in sweeper's server and in its own"
    if version is None:
        return Check("DRUM", CheckState.UNAVAILABLE, "not installed", why, "pip install datarobot-drum")
    return Check("DRUM", CheckState.OK, version, f"{why}; a study checks that it has the FastAPI server")


def no_proc(sentence: str) -> Check:
    return Check("/proc", CheckState.IMPOSSIBLE, sentence, "without it nothing can be measured")


@dataclass(frozen=True, slots=True)
class Noise:
    """The host's noise, and what it means for the default grid."""

    host: HostNoise
    deviation: float  # of the log of one run's speed
    blocks: int | None  # that it takes at least, within the `most` that are made; None: more
    most: int
    enough: int | None  # blocks that would do, where `most` do not; None: no number would
    tolerance: float  # as a share
    values: int  # of the grid


def noise_check(noise: Noise) -> Check:
    """The host's part alone: a lower bound, which the study's first look replaces."""
    host = noise.host
    seen = (
        f"speed of the cores: ±{host.turn_deviation:.1%} within {host.round_s:g} s, "
        f"±{host.overall_deviation:.1%} over {host.seconds:g} s; "
        f"fastest half second ÷ slowest {host.range:.2f}"
    )
    leaves = f"with turns, the host alone gives one run a noise of {noise.deviation:.1%}"
    apart = f"to show that {noise.values} equal values are within {noise.tolerance:.0%}"
    if noise.blocks is not None:
        why = (
            f"{leaves}: a study takes {noise.blocks} blocks or more {apart}; the server adds noise of its own"
        )
        return Check("noise", CheckState.OK, seen, why)
    remedy = f"sweeper grid --max-blocks {noise.enough}" if noise.enough is not None else ""
    return Check(
        "noise",
        CheckState.WARNING,
        seen,
        f"{leaves}: the {noise.most} blocks of a default study are too few {apart}; try another hour or host",
        remedy,
    )


def noise_unknown(sentence: str) -> Check:
    return Check(
        "noise", CheckState.UNAVAILABLE, sentence, "sweeper cannot estimate how many blocks a study needs"
    )

"""What goes wrong, by the code that it trips: the table that test_alone.py goes through, and why some are not
injected for real by test_real.py as well."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sweeper.records.configuration import Configuration
from sweeper.records.observations import FirstAnswer, UserEvents
from sweeper.run.timing import RunSettings
from tests.support.fakes import Behaviour, Script, noisy
from tests.support.fakes.behaviour import PREDICTIONS

SETTINGS = RunSettings()


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a run, what its message tells a person to do, and the codes that follow from it
    by definition."""

    behaviour: Behaviour
    do: str
    world: dict[str, Any] = field(default_factory=dict)
    settings: RunSettings = SETTINGS
    workers: int = 4
    follows: frozenset[str] = frozenset()
    arrivals_per_s: float | None = None
    beside_another: bool = False


REFUSED = FirstAnswer(422, "status 422 (ERROR: Samples should be provided)", 60, None, 100)
LATE = FirstAnswer(None, "no whole answer within 30 s")
GARBAGE = FirstAnswer(200, "status 200 (hello)", 2000, None, 100)
HALF = FirstAnswer(200, "status 200", 2000, 50, 100)

RUN_FAULTS: dict[str, list[Fault]] = {
    "accounting": [
        Fault(Behaviour(miscount=500), "stop it"),
        Fault(Behaviour(miscount=-500), "where predictions are made"),
        Fault(Behaviour(torn_records=1), "free space"),
    ],
    "answers-unverified": [
        Fault(Behaviour(answer=GARBAGE), "--locustfile"),
        Fault(Behaviour(answer=HALF), "--locustfile"),
    ],
    "answers-too-long": [Fault(Behaviour(too_long=20), "--max-answer-size")],
    "censored-tail": [Fault(Behaviour(hangs=1), "--drain")],
    "client-saturated": [
        Fault(Behaviour(client_cpu_ms=7.0), "fewer users"),
        Fault(Behaviour(late_ms=200.0), "--load-cpus"),
    ],
    # The speed changes in the middle of the window, less than MSER-5 needs to call it a warm-up.
    "drift": [
        Fault(
            Behaviour(wobble=0.06, step=(45.0, 0.75)),
            "run again",
            settings=RunSettings(warmup_s=40.0, warmup_cap_s=40.0),
        )
    ],
    "errors": [Fault(Behaviour(error_share=0.05), "server.log")],
    # More arrive at random than the server can answer: speed is steady, only the queue grows.
    "falling-behind": [
        Fault(
            Behaviour(rps=80.0),
            "fewer requests",
            arrivals_per_s=110.0,
            follows=frozenset({"no-steady-state"}),
        )
    ],
    "first-upload-failed": [
        Fault(Behaviour(answer=replace(PREDICTIONS, failures=2, first_failure="status 500")), "server.log")
    ],
    "gated": [Fault(Behaviour(pool="gated"), "raise DRUM_MAX_CONCURRENT_REQUESTS to 16", workers=8)],
    "littles-law": [Fault(Behaviour(), "load.log", world={"waits_longer_s": 0.1})],
    "load-died": [
        Fault(Behaviour(), "load.log", world={"load_fails": fails})
        for fails in ("cannot start", "never starts", "dies", "unreadable")
    ],
    "log-cut": [Fault(Behaviour(log_left_out_bytes=2_000_000_000), "log less")],
    "no-predictions": [
        Fault(Behaviour(answer=REFUSED), "--data"),
        Fault(Behaviour(answer=LATE), "server.log"),
    ],
    "no-requests": [Fault(Behaviour(rps=1.0), "server.log")],
    "no-steady-state": [Fault(Behaviour(rps=60, trend_per_s=0.06), "--warmup-cap")],
    "no-turns": [Fault(Behaviour(stands_still=False), "run sweeper as root", beside_another=True)],
    # The simulated users do not wait any longer for it, so that fewer are in flight than there should be.
    "outside-waits": [
        Fault(
            Behaviour(waits_outside=True),
            "--no-interleave",
            beside_another=True,
            follows=frozenset({"littles-law"}),
        )
    ],
    # A locust file's users who wait by a clock that goes on while they are stopped.
    "outside-clock": [
        Fault(
            Behaviour(rps=150.0, clock_goes_on=True),
            "--no-interleave",
            world={"think_s": None},
            beside_another=True,
            follows=frozenset(),
        )
    ],
    # Its connections are closed by a clock that goes on while it is frozen.
    "server-clock": [
        Fault(
            Behaviour(fails_after_pauses=True),
            "--no-interleave",
            beside_another=True,
            follows=frozenset({"errors"}),
        )
    ],
    # A request of one user takes 50 ms, and the server computes for one of them.
    "turns-tried": [
        Fault(
            Behaviour(alone_ms=50.0, cpu_ms=1.0, run_delay_ms=0.1),
            "one after another",
            settings=RunSettings(try_turns=True),
            beside_another=True,
        )
    ],
    # Of a locust file's requests none is a prediction: the server's count stands still.
    "pool-not-used": [Fault(Behaviour(pool="passed-by"), "send predictions", world={"think_s": None})],
    "pool-size-not-applied": [
        Fault(Behaviour(pool="fixed"), "make the server read", workers=8),
        Fault(Behaviour(pool="lying", cpu_ms=1.0), "make the server read", workers=8),
    ],
    "pool-size-unverified": [
        Fault(Behaviour(pool="absent"), "let /stats/ report"),
        Fault(Behaviour(pool="half-silent"), "let /stats/ report"),
        Fault(Behaviour(pool="lying"), "idle cores", workers=8),
    ],
    "pressure": [Fault(Behaviour(other_cpu_cores=0.5), "stop them")],
    "requests-elsewhere": [
        Fault(
            Behaviour(events=UserEvents(elsewhere=100, first_elsewhere="http://x:1/")),
            "give the client paths",
        ),
        Fault(
            Behaviour(events=UserEvents(elsewhere=1, first_elsewhere="http://x:1/")), "give the client paths"
        ),
    ],
    "server-did-not-start": [
        Fault(Behaviour(dies_at_start=True), "server.log"),
        Fault(Behaviour(ready_after_s=500.0), "server.log"),
    ],
    "metrics-unavailable": [
        Fault(Behaviour(unreported="GET http://h/metrics: status 503"), "leave out --metrics-path")
    ],
    "out-of-memory": [
        Fault(Behaviour(dies_after_s=0.0, killed_for_memory=True), "--memory-limit"),
        Fault(Behaviour(dies_after_s=9.0, killed_for_memory=True), "--memory-limit"),
    ],
    "server-died": [
        Fault(Behaviour(dies_after_s=0.0), "server.log"),
        Fault(Behaviour(dies_after_s=2.0), "server.log"),
        Fault(Behaviour(dies_after_s=9.0), "server.log"),
    ],
    "load-in-quota": [
        Fault(
            Behaviour(quota_cores=2.0, quota_covers_load=True, throttled_per_s=1.0),
            "--expect-load-workers",
            follows=frozenset({"throttled"}),
        )
    ],
    "quota-shared": [
        Fault(
            Behaviour(quota_cores=2.0, strangers_cores=0.5, throttled_per_s=1.0),
            "--cpu-limit",
            follows=frozenset({"throttled"}),
        )
    ],
    "quota-changed": [Fault(Behaviour(quota_cores=2.0, quota_falls=True), "leave it as it is")],
    "server-killed": [Fault(Behaviour(stays=True), "SIGTERM")],
    "short-answers": [Fault(Behaviour(short_share=0.03), "error status")],
    "stalled": [Fault(Behaviour(pause=(8.0, 9.4)), "garbage collection")],
    "steal": [Fault(Behaviour(steal=0.05), "run again")],
    "task-crashed": [
        Fault(Behaviour(events=UserEvents(crashes=100, first_crash="KeyError: 'a'")), "load.log"),
        Fault(Behaviour(events=UserEvents(crashes=1, first_crash="KeyError: 'a'")), "load.log"),
    ],
    "thread-leak": [Fault(Behaviour(leaks_per_s=1.0), "look in the model's code")],
    "throttled": [Fault(Behaviour(throttled_per_s=1.0), "have the same quota")],
    "user-limited": [Fault(Behaviour(), "--users", workers=200)],
    "users-ended": [Fault(Behaviour(events=UserEvents(ended=3)), "load.log")],
}


def one_of_a_pair_is_slow(configuration: Configuration, block: int, run_id: str) -> Behaviour:
    """The second block's run in place 5, one of two with 4 workers under the study's seed."""
    speeds = noisy({1: 100.0, 2: 100.0, 4: 100.0, 8: 100.0, 16: 100.0}, noise=0.04)
    behaviour = speeds(configuration, block, run_id)
    return Behaviour(rps=behaviour.rps * 0.7) if run_id == "b02-05-w4" else behaviour


def by_workers(behaviours: dict[int, Behaviour]) -> Script:
    return lambda configuration, block, run_id: behaviours[configuration.workers]


@dataclass(frozen=True)
class StudyFault:
    script: Script
    workers: tuple[int, ...]
    do: str
    cores_shared: bool = False
    not_confirmed: str = ""
    follows: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ("",)  # which make the blocks in turn


STUDY_FAULTS: dict[str, StudyFault] = {
    "gil-bound": StudyFault(
        by_workers(
            {
                1: Behaviour(rps=100.0, cpu_ms=7.0, voluntary=5.0),
                4: Behaviour(rps=140.0, cpu_ms=7.0, voluntary=10.0),
                32: Behaviour(rps=100.0, cpu_ms=10.0, voluntary=60.0),
            }
        ),
        (1, 4, 32),
        "fewer workers",
    ),
    "not-confirmed": StudyFault(
        noisy({1: 80.0, 4: 140.0}),
        (1, 4),
        "leave out --locustfile",
        not_confirmed="a --locustfile of your own decides when requests are sent; leave out --locustfile",
    ),
    "oversubscribed": StudyFault(
        by_workers({w: Behaviour(rps=140.0, run_delay_ms=w * 0.25) for w in (1, 4, 32)}),
        (1, 4, 32),
        "use fewer",
    ),
    "sentinel": StudyFault(one_of_a_pair_is_slow, (1, 2, 4, 8, 16), "run again"),
    "several-hosts": StudyFault(
        noisy({1: 80.0, 4: 140.0}),
        (1, 4),
        "compare the values of this study with each other",
        hosts=("a", "b"),
    ),
    "shared-cores": StudyFault(
        by_workers({1: Behaviour(rps=80.0), 4: Behaviour(rps=140.0)}), (1, 4), "compare", cores_shared=True
    ),
}


ONLY_SIMULATED = {
    "no-turns": "it takes a container of another user's; test_container.py denies the signals to a real one",
    "metrics-unavailable": "it takes a server elsewhere; tests/e2e/test_remote_metrics.py has whole studies",
    "falling-behind": "a confirmation, which tests/e2e/test_confirm.py makes for real",
    "not-confirmed": "it says what was not done; nothing goes wrong in a run",
    "drift": "MSER-5 takes a change of speed without noise for a warm-up, and real noise is not repeatable",
    "pressure": "burning the cores of a machine that others use makes their measurements wrong",
    "steal": "only the hypervisor can take time from a virtual machine",
    "gil-bound": "a whole study, and a server whose Python threads contend as badly on every machine",
    "oversubscribed": "a whole study, and cores that nobody else uses",
    "several-hosts": "it says who made the runs; tests/e2e/test_hosts.py has three hosts",
    "sentinel": "a whole study, and a machine that changes in one block only",
    "shared-cores": "it says how cores are placed; nothing has to go wrong",
}
"""Faults that test_real.py does not inject, and why."""

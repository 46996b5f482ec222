"""From what was given to the settings of a study: every value checked, and that they go together."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from sweeper.errors import UsageError
from sweeper.records.run import Objective
from sweeper.records.scenarios import ServerKind
from sweeper.settings.combine import Given, flag, nearest
from sweeper.settings.command_settings import COMMANDS
from sweeper.settings.notation import seconds
from sweeper.settings.remote_settings import OF_A_REMOTE_SERVER
from sweeper.settings.scenario_settings import ScenarioSettings
from sweeper.settings.study_settings import QUICK, StudySettings

A_COMMAND = "--server-command, such as 'python server.py --port {port} --threads {workers}'"
A_URL = "--url, such as http://10.0.0.7:8080"
A_RESTART = (
    "--restart-command, such as 'kubectl set env deploy/model DRUM_FASTAPI_EXECUTOR_WORKERS={workers} && "
    "kubectl rollout status deploy/model'"
)
LONGEST_SLO_SHARE = 0.1
"""Of a window, for the SLO of a capacity."""
FEWEST_ARRIVALS = 20  # in a window at --rate
MOST_LOAD_PROCESSES = 100  # that share requests at random
TURN_S = 0.5  # five periods of the quota
_TRUTH = TypeAdapter(bool)


def settings(given: Given, defaults: Mapping[str, object] | None = None) -> StudySettings:
    """Validated settings: `defaults` (a resumed study's) under what was given.

    Raises UsageError with one sentence: the name as the user wrote it, the value, what would be right.
    """
    kind = COMMANDS[given.command]
    values = {**(defaults or {}), **given.values}
    values.pop("command", None)
    if _is_true(values.get("quick")):
        _check_quick(given)
        values = {"confirm": False, **values, **QUICK}
    try:
        result = kind.model_validate(values)
    except UnicodeEncodeError:  # pydantic cannot quote a value with bytes that are no UTF-8
        name = next(name for name, value in values.items() if not _is_text(value))
        right = kind.model_fields[name].description
        raise UsageError(f"{given.shown(name)} {_quoted(values[name])}: must be {right}") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise UsageError(f"'{name}' is not a setting{nearest(name, kind.model_fields, flag)}") from None
        right = kind.model_fields[name].description
        raise UsageError(f"{given.shown(name)} {_quoted(values.get(name))}: must be {right}") from None
    _check_together(result, given)
    return result


def _is_true(value: object) -> bool:
    try:
        return _TRUTH.validate_python(value)
    except ValidationError:
        return False


def _check_quick(given: Given) -> None:
    """What quick stands for may be given once more, as in a study.toml, but not contradicted."""
    for name, meant in QUICK.items():
        value = given.values.get(name, meant)
        try:
            same = seconds(value) == seconds(meant)
        except ValueError:
            same = False
        if not same:
            raise UsageError(
                f"{given.shown(name)} {_quoted(value)} and {given.shown('quick')} exclude each other: quick "
                "means two blocks of 5s windows"
            )


def _is_text(value: object) -> bool:
    """False for lone surrogates: Python stores bytes of the command line that are not UTF-8 as such."""
    try:
        "".join(map(str, value if isinstance(value, list | tuple) else (value,))).encode()
    except UnicodeEncodeError:
        return False
    return True


def _quoted(value: object) -> str:
    text = str(value) if len(str(value)) <= 60 else f"{str(value)[:59]}…"
    return f"'{text}'" if isinstance(value, str) else text


def _check_together(result: StudySettings, given: Given) -> None:
    shown = given.shown
    if result.min_blocks > result.max_blocks:
        raise UsageError(
            f"{shown('min_blocks')} {result.min_blocks} is above {shown('max_blocks')} {result.max_blocks}: "
            "lower the first or raise the second"
        )
    _check_load(result, given)
    _check_turns(result, given)
    if result.warmup > result.warmup_cap:
        raise UsageError(
            f"{shown('warmup')} {result.warmup:g}s is above {shown('warmup_cap')} {result.warmup_cap:g}s: "
            "make the first shorter or the second longer"
        )
    if result.model is not None and result.code_dir is not None:
        raise UsageError(
            f"{shown('model')} '{result.model}' and {shown('code_dir')} '{result.code_dir}' exclude each "
            "other: give one of them"
        )
    if isinstance(result, ScenarioSettings):
        _check_servers(result, given)
    else:
        _check_launcher(result, given)
    both = set(result.server_cpus or ()) & set(result.load_cpus or ())
    if both:
        raise UsageError(
            f"{shown('server_cpus')} and {shown('load_cpus')} share core {min(both)}: they must not overlap"
        )


def _check_capacity(result: StudySettings, given: Given) -> None:
    shown = given.shown
    capacity = f"{shown('objective')} capacity"
    if len(result.objectives) > 1:
        raise UsageError(
            f"{shown('objective')} {','.join(result.objectives)}: capacity must stand alone, because its "
            "runs have other loads than those of throughput and p99"
        )
    if result.slo_p99 is None:
        raise UsageError(
            f"{capacity} needs {shown('slo_p99')}, such as {shown('slo_p99')} 200: the capacity is the most "
            "requests/s at which p99 keeps it"
        )
    if result.rate is not None:
        raise UsageError(
            f"{capacity} and {shown('rate')} {_listed(result.rate)} exclude each other: the runs look for "
            "the rate themselves"
        )
    _check_random_arrivals(capacity, result, given)
    shortest_s = LONGEST_SLO_SHARE * min(result.window, getattr(result, "search_window", result.window))
    if result.slo_p99 > shortest_s * 1000:
        raise UsageError(
            f"{shown('slo_p99')} {result.slo_p99:g} is too long for {shown('window')} {result.window:g}s: a "
            f"run stays at each rate for 0.6 windows, which must be at least six times the SLO; use "
            f"{shown('window')} {math.ceil(result.slo_p99 / 1000 / LONGEST_SLO_SHARE)}s"
        )


def _check_rate(result: StudySettings, given: Given) -> None:
    rate = f"{given.shown('rate')} {_listed(result.rate)}"
    if result.objectives != (Objective.P99,):
        raise UsageError(
            f"{rate} needs {given.shown('objective')} p99: every value that keeps up answers as many "
            "requests/s as arrive, so throughput cannot tell the values apart"
        )
    _check_random_arrivals(rate, result, given)
    lowest = min(result.loads or (result.largest_rate or math.inf,))
    if lowest * result.window < FEWEST_ARRIVALS:
        raise UsageError(
            f"{rate} is too low for {given.shown('window')} {result.window:g}s: about "
            f"{lowest * result.window:.2g} requests would arrive in it, and p99 needs {FEWEST_ARRIVALS} or "
            f"more; use {given.shown('window')} {math.ceil(FEWEST_ARRIVALS / lowest)}s, or a higher rate"
        )


def _check_random_arrivals(asked_for: str, result: StudySettings, given: Given) -> None:
    """Refuse settings that also decide when requests are sent: `asked_for` makes them arrive at random."""
    if result.locustfile is not None:
        raise UsageError(
            f"{asked_for} and {given.shown('locustfile')} '{result.locustfile}' exclude each other: the file "
            "decides itself when its users send"
        )
    if result.users != type(result).model_fields["users"].default:
        raise UsageError(
            f"{asked_for} and {given.shown('users')} {_listed(result.users)} exclude each other: requests "
            "that arrive at random wait for no user"
        )


def _listed(value: object) -> str:
    """One number, or several, as they may be typed."""
    several = value if isinstance(value, tuple) else (value,)
    return ",".join(f"{one:g}" for one in several)


def _check_turns(result: StudySettings, given: Given) -> None:
    """A turn that is not a whole number of the quota's periods gets more than its share of it."""
    if result.cpu_limit is None or not result.in_turns:
        return
    for name in ("window", "search_window"):
        window = getattr(result, name, TURN_S)
        if (window / TURN_S) % 1:
            raise UsageError(
                f"{given.shown(name)} {window:g}s and {given.shown('cpu_limit')} {result.cpu_limit:g}: with "
                "a CPU quota the window must be a whole number of half seconds, or add --no-interleave"
            )


def _check_launcher(result: StudySettings, given: Given) -> None:
    shown = given.shown
    named = result.launcher == "command"
    _check_remote(result, given)
    if named and result.server_command is None:
        raise UsageError(f"{shown('launcher')} command needs {A_COMMAND}")
    if not named and result.server_command is not None:
        raise UsageError(
            f"{shown('server_command')} is used by {shown('launcher')} command only, not by "
            f"{result.launcher}: add --launcher command"
        )


def _check_remote(result: StudySettings, given: Given) -> None:
    shown = given.shown
    if result.launcher != "remote":
        for name in OF_A_REMOTE_SERVER:
            if getattr(result, name) is not None:
                raise UsageError(
                    f"{shown(name)} is used by {shown('launcher')} remote only, not by {result.launcher}: "
                    "add --launcher remote"
                )
        return
    for name, such_as in (("url", A_URL), ("restart_command", A_RESTART)):
        if getattr(result, name) is None:
            raise UsageError(f"{shown('launcher')} remote needs {such_as}")
    if result.ca_file is not None and not (result.url or "").startswith("https:"):
        raise UsageError(
            f"{shown('ca_file')} '{result.ca_file}' is for a server with a certificate, and {shown('url')} "
            f"{_quoted(result.url)} has none: give an https:// address, or leave the file out"
        )
    for name in ("cpu_limit", "memory_limit", "server_cpus"):
        if getattr(result, name) is not None:
            raise UsageError(
                f"{shown(name)} and {shown('launcher')} remote exclude each other: set it where that server "
                "runs, and leave it out here"
            )
    if result.interleave:
        raise UsageError(
            f"{shown('interleave')} and {shown('launcher')} remote exclude each other: sweeper cannot stop a "
            "remote server for turns"
        )


def _check_servers(result: ScenarioSettings, given: Given) -> None:
    shown = given.shown
    named = ServerKind.COMMAND in result.servers
    if named and result.server_command is None:
        raise UsageError(f"{shown('servers')} names command, which needs {A_COMMAND}")
    if not named and result.server_command is not None:
        raise UsageError(
            f"{shown('server_command')} is used by the server command only: name it as one of --servers"
        )


def _check_load(result: StudySettings, given: Given) -> None:
    shown = given.shown
    workers, processes = result.expect_load_workers, result.load_processes
    if result.loads and result.COMMAND != "grid":
        name = "users" if result.rate is None else "rate"
        raise UsageError(
            f"{shown(name)} {_listed(getattr(result, name))}: only sweeper grid takes several loads: give "
            f"sweeper {result.COMMAND} one number"
        )
    if Objective.CAPACITY in result.objectives:
        _check_capacity(result, given)
    elif result.rate is not None:
        _check_rate(result, given)
    for name, count in (("load_processes", processes), ("expect_load_workers", workers or 0)):
        if result.waiting_users is None and count > MOST_LOAD_PROCESSES:
            raise UsageError(
                f"{shown(name)} {count} is too many: at most {MOST_LOAD_PROCESSES} of them share requests "
                "that arrive at random"
            )
        if result.waiting_users is not None and count > result.fewest_users:
            raise UsageError(
                f"{shown(name)} {count} is above {shown('users')} {result.fewest_users}: each of them needs "
                "a user"
            )
    if result.locust_options is not None and result.locustfile is None:
        raise UsageError(
            f"{shown('locust_options')} '{result.locust_options}' is for a locust file of your own: add "
            "--locustfile"
        )
    if workers is None and result.load_master_bind is not None:
        raise UsageError(
            f"{shown('load_master_bind')} '{result.load_master_bind}' is only for load workers on other "
            "hosts: add --expect-load-workers"
        )
    if workers is not None and processes > 1:
        raise UsageError(
            f"{shown('load_processes')} {processes} and {shown('expect_load_workers')} {workers} exclude "
            "each other: start as many load workers as there are cores for them, on any host"
        )

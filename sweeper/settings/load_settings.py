"""The settings of the load: how many users or requests/s, who makes it, and by which locust file."""

from __future__ import annotations

import shlex
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from sweeper.settings.command_line_option import LOAD, Option
from sweeper.settings.notation import Bytes, Rates, Users, whole

SET_FOR_LOCUST = (
    *("-f", "--locustfile", "-H", "--host", "-u", "--users", "-r", "--spawn-rate", "-t", "--run-time"),
    *("-s", "--stop-timeout", "--headless", "--autostart", "--autoquit", "--only-summary", "--reset-stats"),
    *("--exit-code-on-error", "--processes", "--config", "-l", "--list", "-h", "--help", "-V", "--version"),
    *("--show-task-ratio", "--show-task-ratio-json"),
)
"""Options of locust that sweeper sets, or with which it makes no load; with all of --master and --worker."""


def _for_locust(value: str) -> str:
    """As a shell would split it."""
    for word in shlex.split(value):
        name = word.partition("=")[0]
        if name in SET_FOR_LOCUST or name.startswith(("--master", "--worker", "--expect-workers", "--web")):
            raise ValueError(value)
    return value


def _each(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


class LoadSettings(BaseModel):
    users: Annotated[
        Users,
        Field(
            description="a whole number from 1 to 10000, or with sweeper grid 2 to 8 different ones from 2 "
            "to 10000, such as 10,50,100"
        ),
        Option("Concurrent users.", LOAD, "N"),
    ] = 100
    rate: Annotated[  # None: users who wait for each answer
        Rates,
        Field(
            description="requests/s, a number above 0, up to 100000, such as 50, or with sweeper grid 2 to 8 "
            "different ones, such as 20,50,80"
        ),
        Option(
            "Requests per second that arrive at random, whether or not earlier requests were answered; this "
            "replaces users who wait for each answer. Use it with --objective p99.",
            LOAD,
            "RATE",
        ),
    ] = None
    load_processes: Annotated[
        int,
        whole(1, 64),
        Option("Processes of the load generator, if one is too slow for all users.", LOAD, "N"),
    ] = 1
    expect_load_workers: Annotated[  # None: the load is made by this machine
        int | None,
        whole(1, 1000),
        Option(
            "Number of load workers on other hosts that make the load; start each with sweeper load-worker. "
            "The runs of a block are then made one after another.",
            LOAD,
            "N",
        ),
    ] = None
    load_master_bind: Annotated[  # None: 127.0.0.1, which other hosts cannot reach
        str | None,
        Field(
            pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}(:[0-9]{1,5})?$",
            description="an IPv4 address of this machine, such as 10.0.0.5 or 10.0.0.5:5557",
        ),
        Option(
            "IPv4 address of this machine to which load workers of other hosts connect; the servers listen "
            "there, too. No other host can connect to the default.",
            LOAD,
            "ADDRESS",
            default="127.0.0.1:5557",
        ),
    ] = None
    locustfile: Annotated[  # None: uploads of the data
        str | None,
        Field(min_length=1, description="a locust file (Python)"),
        Option(
            "Your own locust file, unchanged; relative paths in it are relative to the current folder.",
            LOAD,
            "FILE",
            default="uploads of --data",
        ),
    ] = None
    locust_options: Annotated[  # None: the file has none of its own
        str | None,
        AfterValidator(lambda value: value if value is None else _for_locust(value)),
        Field(
            min_length=1,
            description="options of your locust file, or of locust, such as '--tenant acme --tags fast', "
            "without those that sweeper sets (users, host, run time, processes and the like)",
        ),
        Option(
            "Options that your locust file adds (init_command_line_parser), or options of locust, such as "
            "'--tenant acme'.",
            LOAD,
            "'…'",
        ),
    ] = None
    max_answer_size: Annotated[
        Bytes,
        Field(ge=1 << 10, le=1 << 40, description="a size from 1KiB to 1TiB, such as 64MiB"),
        Option(
            "Longest answer that the load generator reads; it closes the connection of a longer one, and "
            "counts that request as failed.",
            LOAD,
            "SIZE",
        ),
    ] = 1 << 26

    @property
    def most_users(self) -> int:
        """At once, in any run."""
        return round(max(_each(self.users)))

    @property
    def fewest_users(self) -> int:
        """At once, under the smallest load."""
        return round(min(_each(self.users)))

    @property
    def loads(self) -> tuple[float, ...]:
        """Users, or requests/s with `rate`, of each of several loads, in order; empty: the study has one."""
        found = _each(self.users if self.rate is None else self.rate)
        return tuple(map(float, found)) if len(found) > 1 else ()

    @property
    def largest_rate(self) -> float | None:
        return None if self.rate is None else max(_each(self.rate))

"""The settings of a server that sweeper does not start itself, but has a command of the user's restart."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from sweeper.settings.command_line_option import TARGET, Option
from sweeper.settings.notation import Duration, lasting

RESTART_S = 30.0
"""How long a restart is taken to last in a plan, unless somebody says."""
OF_A_REMOTE_SERVER = ("url", "ca_file", "metrics_path", "restart_command", "restore_command", "restart_time")


class RemoteSettings(BaseModel):
    url: Annotated[  # None: the launcher is not remote, as for the restart command
        str | None,
        Field(
            pattern=r"^https?://[^\s/?#@]+/?$",
            description="the server's address without a path, such as http://10.0.0.7:8080 or "
            "https://model.example.org",
        ),
        Option(
            "For --launcher remote: the address of the server, such as http://10.0.0.7:8080 or "
            "https://model.example.org.",
            TARGET,
            "URL",
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Field(min_length=1, description="a PEM file with certificates of CAs"),
        Option(
            "For an https --url: the CAs whose certificates sweeper and its users trust, in a PEM file, in "
            "place of the system's.",
            TARGET,
            "FILE",
            default="those of the system",
        ),
    ] = None
    metrics_path: Annotated[  # None: the server is not asked
        str | None,
        Field(pattern=r"^/\S*$", description="a path that starts with / and has no spaces, such as /metrics"),
        Option(
            "For --launcher remote: the path where the server reports CPU time and memory of its process in "
            "the text format of Prometheus, such as /metrics.",
            TARGET,
            "PATH",
        ),
    ] = None
    restart_command: Annotated[
        str | None,
        Field(
            pattern=r"\{workers\}",
            description="a shell command in which {workers} stands for the number of threads",
        ),
        Option(
            "For --launcher remote: the shell command (sh -c) that restarts the server and waits until the "
            "restart is complete. It must contain {workers}; sweeper also replaces {model_threads}, "
            "{processes}, {gate}, {gate_depth} and, in a search, {NAME} of each --tune.",
            TARGET,
            "'…'",
        ),
    ] = None
    restore_command: Annotated[
        str | None,
        Field(min_length=1, description="a shell command"),
        Option(
            "For --launcher remote: the shell command that puts the old setting back at the end.",
            TARGET,
            "'…'",
            default="--restart-command with the workers that /stats/ reported before",
        ),
    ] = None
    restart_time: Annotated[
        Duration | None,
        lasting("0s", "60m", "30s"),
        Option(
            "For --launcher remote: how long a restart takes, for the estimate of the study's duration.",
            TARGET,
            "TIME",
            default="30s",
        ),
    ] = None

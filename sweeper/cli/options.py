"""Options of several commands that are no settings of a study: where it is, and how it is shown.

Those of grid, optimize and scenarios are made of the settings (`study_commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sweeper.errors import UsageError
from sweeper.settings.command_line_option import Panel


def option(help_text: str, default: str | None, metavar: str, panel: Panel = Panel.PLACE) -> object:
    return typer.Option(help=help_text, rich_help_panel=panel, show_default=default or False, metavar=metavar)


def switch(help_text: str, *names: str) -> object:
    return typer.Option(*names, help=help_text, rich_help_panel=Panel.PLACE)


Study: TypeAlias = Annotated[
    str | None, option("The study's name; a study that exists is resumed.", "a new one", "NAME")
]
StudiesDir: TypeAlias = Annotated[str | None, option("Folder of the studies.", "studies", "DIR")]
Storage: TypeAlias = Annotated[
    str | None,
    option(
        "The database: sqlite:///FILE, or postgresql://USER@HOST/NAME for several hosts to work on one study "
        "(not for scenarios).",
        "sqlite:///STUDIES_DIR/studies.db",
        "URL",
    ),
]
HostName: TypeAlias = Annotated[
    str | None,
    option(
        "The name of this host, if several hosts work on one study (PostgreSQL).",
        "the machine's name",
        "NAME",
    ),
]
ConfigFile: TypeAlias = Annotated[
    str | None,
    option(
        "Settings from a TOML file, such as the study.toml of a study to repeat. SWEEPER_* variables "
        "overrule the file; flags overrule both.",
        None,
        "TOML",
    ),
]
AllowDrift: TypeAlias = Annotated[
    bool | None,
    switch(
        "Resume although the environment (machine, packages, model, variables) changed. The change is "
        "recorded with each run.",
        "--allow-drift",
    ),
]
DryRun: TypeAlias = Annotated[
    bool | None, switch("Print the plan and its duration; start nothing.", "--dry-run")
]
Json: TypeAlias = Annotated[
    bool | None, switch("Print the answer as one line of JSON, last on stdout.", "--json")
]
Quiet: TypeAlias = Annotated[
    bool | None, switch("While the study runs, print only what goes wrong.", "--quiet", "-q")
]
Verbose: TypeAlias = Annotated[
    bool | None,
    switch(
        "Also print each phase of each run, the whole table after each block, and everything about the "
        "answer.",
        "--verbose",
        "-v",
    ),
]
JsonInstead: TypeAlias = Annotated[bool, switch("Print one line of JSON instead.", "--json")]
NewestStudy: TypeAlias = Annotated[
    str | None,
    typer.Argument(help="A study's name, its folder or its packed file.", show_default="the newest"),
]
CostPerHour: TypeAlias = Annotated[
    str | None,
    option(
        "What one server costs per hour, in any currency; the answer then shows what a million requests "
        "cost.",
        "as the study has it",
        "PRICE",
    ),
]
PlanFor: TypeAlias = Annotated[
    str | None,
    option(
        "Requests/s that all servers together should answer; the answer then shows how many servers "
        "(replicas) that takes.",
        "as the study has it",
        "RATE",
    ),
]
OF_A_STUDY = {
    "study": Study,
    "studies_dir": StudiesDir,
    "storage": Storage,
    "host_name": HostName,
    "config": ConfigFile,
    "allow_drift": AllowDrift,
    "dry_run": DryRun,
    "json": Json,
    "quiet": Quiet,
    "verbose": Verbose,
}
"""What a command that measures has besides its settings, in the order of `--help`."""
OF_THE_IO_MODEL = ("upstream_url", "upstream_wait_ms")  # its custom.py reads them
VARIABLES = ("study", "studies_dir", "storage", "config", "host_name", *OF_THE_IO_MODEL)
"""What may be said by a variable SWEEPER_* besides the settings."""


def out_file(out: str | None, example: str) -> Path | None:
    """The file that `--out` names. Raises UsageError for what can be no file."""
    if out is None:
        return None
    from sweeper.store.durable_files import can_be_written

    file = Path(out)
    if "\0" in out:
        raise UsageError(f"--out {out!a}: must be a file, such as {example}")
    if out in ("", "-") or file.is_dir():
        raise UsageError(f"--out '{out}': must be a file, such as {example}")
    if not can_be_written(file):
        raise UsageError(f"--out '{out}': must be a file, a device or a pipe, such as {example}")
    if not file.parent.is_dir():
        raise UsageError(f"--out '{out}': there is no folder {file.parent}")
    return file

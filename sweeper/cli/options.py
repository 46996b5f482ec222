"""The options that grid, optimize and scenarios share, declared once.

All values arrive as text: `sweeper.config` parses and checks them, so that a flag, an environment variable
and a line of a file are judged alike and complained of in one manner.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

TARGET, LOAD, TIME, RULE, PLACE = (
    "What to measure",
    "The load",
    "Runs and blocks",
    "The decision",
    "Where and how",
)


def option(help_text: str, panel: str, default: str | None = None, metavar: str = "TEXT") -> object:
    return typer.Option(help=help_text, rich_help_panel=panel, show_default=default or False, metavar=metavar)


def switch(name: str, help_text: str, panel: str, default: str) -> object:
    return typer.Option(f"--{name}/--no-{name}", help=help_text, rich_help_panel=panel, show_default=default)


Model: TypeAlias = Annotated[str | None, option("A folder under models/.", TARGET, "xgboost", "NAME")]
CodeDir: TypeAlias = Annotated[
    str | None, option("Your own DRUM code folder, instead of --model.", TARGET, None, "DIR")
]
Data: TypeAlias = Annotated[
    str | None, option("Rows to send with each request.", TARGET, "the model's sample.csv", "CSV")
]
Launcher: TypeAlias = Annotated[
    str | None,
    option(
        "fastapi (ours), drum (the installed drum server; no release up to 1.18.1 has the FastAPI server) or "
        "command (your --server-command).",
        TARGET,
        "fastapi",
        "NAME",
    ),
]
ServerCommand: TypeAlias = Annotated[
    str | None,
    option(
        "Of --launcher command, or of command among --servers: any command line with {port} in it; {host}, "
        "{workers}, {code_dir}, {model_threads} and {processes} are filled in, too.",
        TARGET,
        None,
        "'…'",
    ),
]
ReadyPath: TypeAlias = Annotated[
    str | None, option("Path that answers 200 once the server is ready.", TARGET, "/ping/", "PATH")
]
WorkersSpan: TypeAlias = Annotated[
    str | None, option("Worker counts to search: a range or a list.", TARGET, "1..64", "SPAN")
]
ThreadsSpan: TypeAlias = Annotated[
    str | None, option("Native threads per prediction to search, such as 1..4.", TARGET, "1", "SPAN")
]
ProcessesSpan: TypeAlias = Annotated[
    str | None,
    option("Server processes to search (CUSTOM_MODEL_WORKERS), such as 1..2.", TARGET, "1", "SPAN"),
]
Tune: TypeAlias = Annotated[
    list[str] | None,
    option(
        "Another runtime parameter of DRUM, such as NAME=8,32,128 or NAME=1..64; may be given again.",
        TARGET,
        None,
        "NAME=SPAN",
    ),
]
Trials: TypeAlias = Annotated[
    str | None, option("Different configurations to try.", TIME, "20, or all there are", "N")
]
SearchWindow: TypeAlias = Annotated[
    str | None, option("The measured part of a run of the search.", TIME, "5s", "TIME")
]
Objectives: TypeAlias = Annotated[
    str | None, option("throughput, p99, or throughput,p99.", RULE, "throughput", "NAME")
]
ModelThreads: TypeAlias = Annotated[
    str | None, option("Native threads per prediction (OMP_NUM_THREADS and kin).", TARGET, "1", "N")
]
Users: TypeAlias = Annotated[str | None, option("Concurrent users.", LOAD, "100", "N")]
Locustfile: TypeAlias = Annotated[
    str | None,
    option(
        "Your own locust file, used unchanged; files that it opens are looked for in the current folder.",
        LOAD,
        "uploads of --data",
        "FILE",
    ),
]
LoadProcesses: TypeAlias = Annotated[
    str | None,
    option("Processes that share the users, where one is too slow for them.", LOAD, "1", "N"),
]
ExpectLoadWorkers: TypeAlias = Annotated[
    str | None,
    option(
        "Make the load with so many load workers on other hosts, each of which you start with sweeper "
        "load-worker; the runs of a block are then made one after another.",
        LOAD,
        None,
        "N",
    ),
]
LoadMasterBind: TypeAlias = Annotated[
    str | None,
    option(
        "IPv4 address of this machine that load workers of other hosts connect to; the servers listen there, "
        "too. With the default no other host can connect.",
        LOAD,
        "127.0.0.1:5557",
        "ADDRESS",
    ),
]
Window: TypeAlias = Annotated[str | None, option("The measured part of a run.", TIME, "10s", "TIME")]
Warmup: TypeAlias = Annotated[
    str | None,
    option("Least warm-up before the window; it goes on until the figures are steady.", TIME, "3s", "TIME"),
]
WarmupCap: TypeAlias = Annotated[
    str | None, option("Most warm-up: a run that is not steady by then is suspect.", TIME, "20s", "TIME")
]
Drain: TypeAlias = Annotated[
    str | None, option("How long requests in flight may take to finish.", TIME, "30s", "TIME")
]
StartTimeout: TypeAlias = Annotated[
    str | None, option("How long a server may take to be ready.", TIME, "120s", "TIME")
]
MinBlocks: TypeAlias = Annotated[
    str | None, option("Blocks before the study may end with an answer.", TIME, "3", "N")
]
MaxBlocks: TypeAlias = Annotated[str | None, option("Blocks at most.", TIME, "10", "N")]
Quick: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Two blocks with windows of 5 s, without --confirm: at best a provisional answer.",
        rich_help_panel=TIME,
    ),
]
Confirm: TypeAlias = Annotated[
    bool | None,
    switch(
        "confirm",
        "After the answer, check it and DRUM's default of 4 workers (or what is nearest to that) with "
        "requests at random moments; not with --locustfile.",
        TIME,
        "on, except with --quick",
    ),
]
Interleave: TypeAlias = Annotated[
    bool | None,
    switch(
        "interleave",
        "The runs of a block take turns of half a second, so that all see the same host.",
        TIME,
        "on",
    ),
]
Objective: TypeAlias = Annotated[str | None, option("throughput or p99.", RULE, "throughput", "NAME")]
SloP99: TypeAlias = Annotated[
    str | None, option("Limit for p99: only what is shown to keep it is recommended.", RULE, None, "MS")
]
MaxErrorRate: TypeAlias = Annotated[
    str | None,
    option("Share of requests that may fail: what fails more is never recommended.", RULE, "0.01", "SHARE"),
]
Tolerance: TypeAlias = Annotated[
    str | None, option("What is within this share of the best counts as equally good.", RULE, "0.05", "SHARE")
]
Confidence: TypeAlias = Annotated[
    str | None, option("Confidence of the whole answer, over all comparisons.", RULE, "0.95", "SHARE")
]
Seed: TypeAlias = Annotated[
    str | None,
    option("The same seed: the same order of runs, and in a search the same first trials.", TIME, "0", "N"),
]
ServerCpus: TypeAlias = Annotated[
    str | None, option("Cores for the server, such as 0-3,8.", PLACE, "by the number of cores", "LIST")
]
LoadCpus: TypeAlias = Annotated[
    str | None, option("Cores for the load generator, such as 4,5.", PLACE, "by the number of cores", "LIST")
]
Study: TypeAlias = Annotated[
    str | None, option("The study's name; resumes it when it exists.", PLACE, "a new one", "NAME")
]
StudiesDir: TypeAlias = Annotated[str | None, option("Where studies are kept.", PLACE, "studies", "DIR")]
Storage: TypeAlias = Annotated[
    str | None,
    option(
        "The database: sqlite:///FILE, or postgresql://USER@HOST/NAME for several hosts to work on one study "
        "(not for scenarios).",
        PLACE,
        "sqlite:///STUDIES_DIR/studies.db",
        "URL",
    ),
]
HostName: TypeAlias = Annotated[
    str | None,
    option(
        "With PostgreSQL, where several hosts may work on one study: this one's name among them.",
        PLACE,
        "the machine's name",
        "NAME",
    ),
]
ConfigFile: TypeAlias = Annotated[
    str | None,
    option(
        "Settings from a TOML file, such as a study's study.toml to repeat it; SWEEPER_* variables overrule "
        "the file, flags overrule both.",
        PLACE,
        None,
        "TOML",
    ),
]
AllowDrift: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--allow-drift",
        help="Resume although the environment (machine, packages, model, variables) changed; "
        "recorded with each run.",
        rich_help_panel=PLACE,
    ),
]
DryRun: TypeAlias = Annotated[
    bool,
    typer.Option("--dry-run", help="Print the plan and its time; start nothing.", rich_help_panel=PLACE),
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="The recommendation as one line of JSON, last on stdout.", rich_help_panel=PLACE
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="While it runs, only what goes wrong.", rich_help_panel=PLACE),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Also each phase of each run, and the whole table after each block.",
        rich_help_panel=PLACE,
    ),
]

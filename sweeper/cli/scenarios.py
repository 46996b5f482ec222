"""`sweeper scenarios`."""

from __future__ import annotations

from typing import Annotated

import typer

from sweeper.cli import options as o
from sweeper.errors import UsageError


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper scenarios   |   sweeper scenarios concurrent --workload io   |   "
        "sweeper scenarios stress --slo-p99 500 --max-users 800   |   "
        "sweeper scenarios tuning (the worker grid: sweeper grid has all its options)"
    )
    def scenarios(
        scenario: Annotated[
            str | None,
            typer.Argument(
                help="single (one user), concurrent (10, 50, 100 users), stress (more users until a limit is "
                "passed), all (these three), or tuning (the worker grid). Several like single,concurrent.",
                show_default="all",
            ),
        ] = None,
        servers: Annotated[
            str | None,
            o.option(
                "The two to compare, the FastAPI one first: fastapi (ours); gunicorn, werkzeug or "
                "drum-fastapi (of the installed DRUM); command (your --server-command).",
                o.TARGET,
                "fastapi,gunicorn",
                "A,B",
            ),
        ] = None,
        workload: Annotated[
            str | None,
            o.option(
                "cpu or io: whether the model computes or waits. It decides which expectations are tested, "
                "and the model where none is named.",
                o.TARGET,
                "cpu",
                "NAME",
            ),
        ] = None,
        model: Annotated[
            str | None,
            o.option("A folder under models/.", o.TARGET, "xgboost, or io-bound with --workload io", "NAME"),
        ] = None,
        code_dir: o.CodeDir = None,
        data: o.Data = None,
        workers: Annotated[
            str | None, o.option("Threads of the servers that have a pool.", o.TARGET, "4", "N")
        ] = None,
        processes: Annotated[
            str | None, o.option("Processes of both servers (CUSTOM_MODEL_WORKERS).", o.TARGET, "1", "N")
        ] = None,
        model_threads: o.ModelThreads = None,
        server_command: o.ServerCommand = None,
        ready_path: o.ReadyPath = None,
        concurrency: Annotated[
            str | None, o.option("Users of the scenario concurrent.", o.LOAD, "10,50,100", "LIST")
        ] = None,
        max_users: Annotated[str | None, o.option("Users at most under stress.", o.LOAD, "3200", "N")] = None,
        load_processes: o.LoadProcesses = None,
        locustfile: o.Locustfile = None,
        window: o.Window = None,
        warmup: o.Warmup = None,
        warmup_cap: o.WarmupCap = None,
        drain: o.Drain = None,
        start_timeout: o.StartTimeout = None,
        min_blocks: o.MinBlocks = None,
        max_blocks: Annotated[str | None, o.option("Blocks at most.", o.TIME, "5", "N")] = None,
        interleave: o.Interleave = None,
        seed: o.Seed = None,
        slo_p99: Annotated[
            str | None, o.option("Limit for p99: stress ends above it, too.", o.RULE, None, "MS")
        ] = None,
        max_error_rate: Annotated[
            str | None,
            o.option("Share of requests that may fail: stress ends above it.", o.RULE, "0.01", "SHARE"),
        ] = None,
        tolerance: Annotated[
            str | None,
            o.option(
                "A p99 lower, or a throughput higher, by less than this share does not count as better.",
                o.RULE,
                "0.05",
                "SHARE",
            ),
        ] = None,
        confidence: Annotated[
            str | None, o.option("Confidence of each expectation's verdict.", o.RULE, "0.95", "SHARE")
        ] = None,
        server_cpus: o.ServerCpus = None,
        load_cpus: o.LoadCpus = None,
        study: o.Study = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
        config: o.ConfigFile = None,
        allow_drift: o.AllowDrift = False,
        dry_run: o.DryRun = False,
        json: Annotated[
            bool,
            typer.Option(
                "--json", help="The result as one line of JSON, last on stdout.", rich_help_panel=o.PLACE
            ),
        ] = False,
        quiet: o.Quiet = False,
        verbose: o.Verbose = False,
    ) -> int:
        """Compare the FastAPI server with DRUM's Flask server: one user, many, as many as each takes."""
        flags = dict(locals())
        from sweeper.cli.measuring import Manner, measure
        from sweeper.cli.where import Where
        from sweeper.config import flag
        from sweeper.study_settings import setting_names

        where = Where.from_flags(study, studies_dir, storage, config, allow_drift)
        manner = Manner.of(dry_run=dry_run, as_json=json, quiet=quiet, verbose=verbose)
        if scenario != "tuning":
            flags["scenarios"] = None if scenario == "all" else scenario
            return measure("scenarios", flags, where, manner)
        own = set(setting_names("scenarios")) - set(setting_names("grid"))
        given = sorted(flag(name) for name in own if flags.get(name) is not None)
        if given:
            raise UsageError(f"{given[0]} is not for tuning, which is the worker grid: leave it out")
        return measure("grid", flags, where, manner)

"""`sweeper optimize`."""

from __future__ import annotations

import typer

from sweeper.cli import options as o


def register(app: typer.Typer) -> None:
    @app.command(
        epilog="Examples:  sweeper optimize --trials 20   |   sweeper optimize --workers 1..64 "
        "--model-threads 1..4 --processes 1..2   |   sweeper optimize --tune "
        "DRUM_FASTAPI_EXECUTOR_QUEUE_DEPTH=8,32,128"
    )
    def optimize(
        trials: o.Trials = None,
        workers: o.WorkersSpan = None,
        model_threads: o.ThreadsSpan = None,
        processes: o.ProcessesSpan = None,
        tune: o.Tune = None,
        model: o.Model = None,
        code_dir: o.CodeDir = None,
        data: o.Data = None,
        launcher: o.Launcher = None,
        server_command: o.ServerCommand = None,
        ready_path: o.ReadyPath = None,
        users: o.Users = None,
        load_processes: o.LoadProcesses = None,
        expect_load_workers: o.ExpectLoadWorkers = None,
        load_master_bind: o.LoadMasterBind = None,
        locustfile: o.Locustfile = None,
        search_window: o.SearchWindow = None,
        window: o.Window = None,
        warmup: o.Warmup = None,
        warmup_cap: o.WarmupCap = None,
        drain: o.Drain = None,
        start_timeout: o.StartTimeout = None,
        min_blocks: o.MinBlocks = None,
        max_blocks: o.MaxBlocks = None,
        quick: o.Quick = False,
        confirm: o.Confirm = None,
        interleave: o.Interleave = None,
        seed: o.Seed = None,
        objective: o.Objectives = None,
        slo_p99: o.SloP99 = None,
        max_error_rate: o.MaxErrorRate = None,
        tolerance: o.Tolerance = None,
        confidence: o.Confidence = None,
        server_cpus: o.ServerCpus = None,
        load_cpus: o.LoadCpus = None,
        study: o.Study = None,
        studies_dir: o.StudiesDir = None,
        storage: o.Storage = None,
        host_name: o.HostName = None,
        config: o.ConfigFile = None,
        allow_drift: o.AllowDrift = False,
        dry_run: o.DryRun = False,
        json: o.Json = False,
        quiet: o.Quiet = False,
        verbose: o.Verbose = False,
    ) -> int:
        """Search worker counts, native threads, processes and more by Optuna; compare the best in blocks."""
        flags = dict(locals())
        from sweeper.cli.measuring import Manner, measure
        from sweeper.cli.where import Where

        where = Where.from_flags(study, studies_dir, storage, config, allow_drift, host_name)
        manner = Manner.of(dry_run=dry_run, as_json=json, quiet=quiet, verbose=verbose)
        return measure("optimize", flags, where, manner)

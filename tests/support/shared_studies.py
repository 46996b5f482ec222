"""Studies that several simulated hosts share."""

from __future__ import annotations

import dataclasses

from sweeper.records.run import RunPlan, RunRecord
from sweeper.run.timing import RunSettings
from sweeper.study.sharing import Host
from tests.support.builders import figures, record
from tests.support.fakes import generator
from tests.support.studies import PLATEAU

SPEED = {"a": 1.0, "b": 1.3, "c": 0.6}


def host(name: str = "a") -> Host:
    return Host(name, RunSettings(cores_shared=False), f"fingerprint of {name}")


def recorded(run: RunPlan, name: str, noise: float) -> RunRecord:
    """As if it had been made: hosts differ in speed, blocks by 5%."""
    workers, rng = run.configuration.workers, generator(0, f"{run.run_id} {name}")
    drift = generator(0, f"block {run.block} {run.attempt}").normal(0, 0.05)
    rps = PLATEAU[workers] * SPEED[name] * 2.718 ** (drift + rng.normal(0, noise))
    made = record(workers, run.block, figures(rps=rps, max_concurrency=workers, pool_workers=workers))
    return dataclasses.replace(made, plan=run, host=name)

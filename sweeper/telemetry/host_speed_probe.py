"""The host-speed probe: does small fixed pieces of work all through a run and times their CPU.

An island, run as a script in a process of its own: `host_speed_probe.py LOG PERIOD_S CORE,CORE,...`. Only the
CPU time of its thread counts, so that waiting for a core does not: what it sees is how fast the cores are
while they run (frequency, caches, memory, neighbours on the host). On every core in turn it times

- a loop of pure Python: the core itself;
- a gather of random places of a table larger than the cache: memory and what neighbours leave of it;
- a sum over a block that another core has just written: the way between the cores.

A process that starts on a core runs cold; a piece of the same kind is run first and not timed.
Rows of float64 (see ROW) are appended to LOG as they come; a last row that is torn is to be ignored.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import numpy as np

ROW = ("at_s", "core", "loop_s", "gather_s", "transfer_s", "waited_s", "used_cpu_s")
LOOP_STEPS = 9_000
TABLE_ITEMS = 4_000_000  # of 8 bytes
GATHER_ITEMS = 20_000
BLOCK_ITEMS = 65_536
ROWS_PER_WRITE = 20
MOST_CORES = 0.05  # what the probe may cost, whatever the machine


def loop(steps: int) -> int:
    total = 0
    for number in range(steps):
        total += number * number
    return total


def main() -> None:
    path, period_s = Path(sys.argv[1]), float(sys.argv[2])
    cores = [int(core) for core in sys.argv[3].split(",")]
    source = np.random.default_rng(0)
    table = source.random(TABLE_ITEMS)
    places = source.integers(0, TABLE_ITEMS, GATHER_ITEMS)
    block = np.zeros(BLOCK_ITEMS)
    jitter = random.Random(0)
    rows: list[tuple[float, ...]] = []
    with path.open("ab", buffering=0) as log:
        turn = 0
        while True:
            core, other = cores[turn % len(cores)], cores[(turn + 1) % len(cores)]
            turn += 1
            visit_cpu_s = time.thread_time()
            os.sched_setaffinity(0, {other})
            block.fill(turn)
            os.sched_setaffinity(0, {core})
            began_s, began_cpu_s = time.monotonic(), time.thread_time()
            block.sum()
            transferred_s = time.thread_time()
            loop(LOOP_STEPS // 4)
            warm_s = time.thread_time()
            loop(LOOP_STEPS)
            looped_s = time.thread_time()
            table[places].sum()
            ended_cpu_s, ended_s = time.thread_time(), time.monotonic()
            rows.append(
                (
                    began_s,
                    core,
                    looped_s - warm_s,
                    ended_cpu_s - looped_s,
                    transferred_s - began_cpu_s,
                    (ended_s - began_s) - (ended_cpu_s - began_cpu_s),
                    time.process_time(),
                )
            )
            if len(rows) >= ROWS_PER_WRITE:
                log.write(np.array(rows).tobytes())
                rows.clear()
            # Random gaps, so that no rhythm of the server's is always met at the same beat; on a machine
            # where a visit costs more, longer ones.
            spent_s = time.thread_time() - visit_cpu_s
            time.sleep(max(period_s * (0.5 + jitter.random()), spent_s / MOST_CORES))


if __name__ == "__main__":
    main()

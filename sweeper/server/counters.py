"""What `/stats/` counts, in memory shared by all server processes.

The parent makes one `Counters` before it forks, so that any process can answer for all of them.
"""

from __future__ import annotations

import mmap
import threading

FIELDS = (
    "loaded",
    "pending",
    "running",
    "max_concurrency",
    "completed",
    "rejected",
    "total_ns",
    "min_ns",
    "max_ns",
)
CELL_BYTES = 8


class Counters:
    """One row of 64-bit cells for each process. Only that process writes it; `clear` resets a dead one's."""

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self._memory = mmap.mmap(-1, processes * len(FIELDS) * CELL_BYTES)
        self._cells = memoryview(self._memory).cast("q")

    def of_process(self, index: int) -> ProcessCounters:
        width = len(FIELDS)
        return ProcessCounters(self._cells[index * width : (index + 1) * width])

    def column(self, field: str) -> list[int]:
        """The field's value in each process."""
        return list(self._cells[FIELDS.index(field) :: len(FIELDS)])

    def clear(self, index: int) -> None:
        """For a process that is started again in the place of a dead one; "loaded" stays."""
        row = self.of_process(index)
        for field in FIELDS[1:]:
            row.set(field, 0)

    @property
    def all_loaded(self) -> bool:
        return all(self.column("loaded"))


class ProcessCounters:
    """The counters of one process. `entered` and `left` are for pool threads, the rest for the event loop."""

    def __init__(self, cells: memoryview[int]) -> None:
        self._cells = cells
        self._lock = threading.Lock()

    def get(self, field: str) -> int:
        return self._cells[FIELDS.index(field)]

    def set(self, field: str, value: int) -> None:
        self._cells[FIELDS.index(field)] = value

    def set_pending(self, pending: int) -> None:
        self._cells[1] = pending

    def rejected(self) -> None:
        self._cells[5] += 1

    def entered(self) -> None:
        """A pool thread begins to handle a request."""
        cells = self._cells
        with self._lock:
            running = cells[2] = cells[2] + 1
            cells[3] = max(cells[3], running)

    def left(self, elapsed_ns: int) -> None:
        """A pool thread is done with it, whatever came of it."""
        cells = self._cells
        with self._lock:
            cells[2] -= 1
            cells[4] += 1
            cells[6] += elapsed_ns
            if cells[4] == 1 or elapsed_ns < cells[7]:
                cells[7] = elapsed_ns
            cells[8] = max(cells[8], elapsed_ns)

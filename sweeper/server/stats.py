"""What `/stats/` says of the pool and the gate, besides what DRUM says of the process."""

from __future__ import annotations

from sweeper.server.counters import Counters
from sweeper.server.gate import Gate
from sweeper.server.service import Service


def executor_info(service: Service) -> dict[str, int]:
    """The pool. Counts are sums over the server's processes; sizes and the peak are one pool's."""
    counters = service.counters
    return {
        "executor_workers": service.executor.workers,
        "executor_max_queue": service.executor.queue_depth,
        "executor_pending": sum(counters.column("pending")),
        "executor_running": sum(counters.column("running")),
        "executor_max_concurrency": max(counters.column("max_concurrency")),
        "executor_completed": sum(counters.column("completed")),
        "executor_rejected": sum(counters.column("rejected")),
        "executor_processes": counters.processes,
    }


def time_info(counters: Counters) -> dict[str, dict[str, float | None]]:
    """Seconds in a handler thread since the start, in DRUM's shape; all None before the first request."""
    done = sum(counters.column("completed"))
    if not done:
        return {"run_predictor_total": dict.fromkeys(("avg", "max", "min", "total"))}
    total_s = sum(counters.column("total_ns")) / 1e9
    shortest_ns = min(ns for ns, n in zip(*map(counters.column, ("min_ns", "completed")), strict=True) if n)
    longest_ns = max(counters.column("max_ns"))
    return {
        "run_predictor_total": {
            "avg": total_s / done,
            "max": longest_ns / 1e9,
            "min": shortest_ns / 1e9,
            "total": total_s,
        }
    }


def gate_info(gate: Gate) -> dict[str, float]:
    """The first gate, of this process only."""
    return {
        "backpressure_accepted": gate.accepted,
        "backpressure_rejected": gate.rejected,
        "backpressure_queue_depth": gate.waiting,
        "backpressure_peak_queue_depth": gate.peak,
        "backpressure_avg_wait_ms": round(gate.mean_wait_ms, 3),
        "backpressure_max_concurrent": gate.most,
    }

"""What a `/stats/` page says of the thread pool."""

from __future__ import annotations

import json

from sweeper.observations import PoolStats


def parse_pool_stats(body: bytes) -> PoolStats | None:
    """None when this is no JSON object. What is missing in it, or is no whole number from 0 on, is None."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(page, dict):
        return None
    return PoolStats(
        workers=_count(page.get("executor_workers")),
        max_concurrency=_count(page.get("executor_max_concurrency")),
        pending=_count(page.get("executor_pending")),
        completed=_count(page.get("executor_completed")),
        rejected=_count(page.get("executor_rejected")),
    )


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == value // 1 else None

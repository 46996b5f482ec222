"""Reads a server's page of metrics while a run goes on, without holding up the run's own samples."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sweeper.telemetry.metrics_page import MetricsPage, NoMetricsError, Reported

CHANGED = (
    "another process answered than before (its CPU time went back, or its start time changed), as after a "
    "restart or with several processes"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page said, and the most memory of all readings so far."""

    at_s: float
    reported: Reported
    peak_rss_bytes: int | None


class MetricsReader:
    """Of one run. One request at a time is under way: a page that is slow is read less often."""

    def __init__(self, page: MetricsPage, now_s: Callable[[], float]) -> None:
        """Reads the page for the first time, which takes some seconds at most."""
        self._page = page
        self._now_s = now_s
        self._lock = threading.Lock()
        self._under_way = False
        self._last: Reading | None = None
        self._changed = False
        self._failure = ""
        self._read()

    def latest(self) -> Reading | None:
        """The last reading there is; the next one begins. None: there is none of one and the same process."""
        with self._lock:
            begin, self._under_way = not self._under_way, True
            found = None if self._changed else self._last
        if begin:
            threading.Thread(target=self._read_next, daemon=True).start()
        return found

    def why_unknown(self) -> str | None:
        """Why the server's CPU time or memory is not known; None: both are, as far as the page goes."""
        with self._lock:
            why = self._failure
            if self._changed:
                why = CHANGED
            elif self._last is not None:
                why = self._last.reported.lacking
        return f"GET {self._page.address}: {why}" if why else None

    def _read_next(self) -> None:
        try:
            self._read()
        finally:
            with self._lock:
                self._under_way = False

    def _read(self) -> None:
        try:
            reported, at_s = self._page.read(), self._now_s()
        except NoMetricsError as error:
            with self._lock:
                self._failure = str(error)
            return
        with self._lock:
            before = self._last
            if before is not None and not reported.continues(before.reported):
                self._changed = True
            seen = [reported.rss_bytes, None if before is None else before.peak_rss_bytes]
            peak = max((size for size in seen if size is not None), default=None)
            self._last = Reading(at_s, reported, peak)

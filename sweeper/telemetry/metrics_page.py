"""What a server elsewhere reports of its own process, in the text format of Prometheus: CPU time and memory.

Prometheus' client libraries export these figures by themselves, each of the process that answers. Of several
figures of one name, such as one for each process, the sum counts. The page is read without holding up the
run's own samples.
"""

from __future__ import annotations

import math
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from sweeper.records.wording import and_join

CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
STARTED = "process_start_time_seconds"
STARTED_KNOWN_TO_S = 2.0
"""A library may work it out anew each time, from whole seconds."""
TIMEOUT_S = 5.0
MOST_BYTES = 1 << 24
_OF_A_PROCESS = ("process_", "# HELP process_", "# TYPE process_")
"""How the lines begin that matter: a page may have thousands of others."""


class NoMetricsError(Exception):
    """The page cannot be read; the argument says why. `answered`: the server is there all the same."""

    def __init__(self, why: str, *, answered: bool = True) -> None:
        super().__init__(why)
        self.answered = answered


@dataclass(frozen=True, slots=True)
class Reported:
    """By the server's process, since its start; None where the page does not have it."""

    cpu_s: float | None = None  # user and system
    rss_bytes: int | None = None  # now
    started_s: float | None = None  # when the process began, by the clock of its machine

    @property
    def lacking(self) -> str:
        """What the page does not have, in words; empty where it has all that a run needs."""
        names = [name for name, value in ((CPU, self.cpu_s), (MEMORY, self.rss_bytes)) if value is None]
        return f"the page has no {and_join(names)}" if names else ""

    def continues(self, before: Reported) -> bool:
        """Whether it is of the same process as the report `before` it."""
        if (self.started_s is None) != (before.started_s is None):
            return False
        if abs((self.started_s or 0.0) - (before.started_s or 0.0)) > STARTED_KNOWN_TO_S:
            return False
        return self.cpu_s is None or before.cpu_s is None or self.cpu_s >= before.cpu_s


class MetricsPage:
    def __init__(self, url: str, path: str, ca_file: Path | None = None) -> None:
        """`ca_file`: the CAs that the certificate of an https server may be of; None: those of the system."""
        self.path = path
        self.address = f"{url}{path}"
        self._trust = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else False

    def read(self) -> Reported:
        """Raises NoMetricsError."""
        plain = {"Accept": "text/plain; version=0.0.4"}
        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, trust_env=False, verify=self._trust, headers=plain) as client,
                client.stream("GET", self.address) as answer,
            ):
                if answer.status_code != 200:
                    raise NoMetricsError(f"status {answer.status_code}")
                page = bytearray()
                for piece in answer.iter_bytes():
                    page += piece
                    if len(page) > MOST_BYTES:
                        raise NoMetricsError(f"more than {MOST_BYTES >> 20} MiB")
        except httpx.TimeoutException:
            raise NoMetricsError(f"no whole answer within {TIMEOUT_S:g} s", answered=False) from None
        except httpx.HTTPError as error:
            raise NoMetricsError(f"no answer ({type(error).__name__})", answered=False) from None
        return parse(page.decode("utf-8", errors="replace"))


def parse(page: str) -> Reported:
    """Raises NoMetricsError for text that is not of this format."""
    from prometheus_client.parser import text_string_to_metric_families  # most commands have no need of it

    lines = "".join(f"{line}\n" for line in page.split("\n") if line.startswith(_OF_A_PROCESS))
    found: dict[str, list[float]] = {}
    try:
        for family in text_string_to_metric_families(lines):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample.value)
    except ValueError:
        raise NoMetricsError("not the text format of Prometheus") from None
    rss = _sum(found.get(MEMORY))
    return Reported(_sum(found.get(CPU)), None if rss is None else round(rss), _sum(found.get(STARTED)))


def _sum(values: list[float] | None) -> float | None:
    """None where there are none, or one is no number."""
    total = math.fsum(values) if values and all(map(math.isfinite, values)) else math.nan
    return total if total >= 0 else None


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
        """The last reading; starts the next one in a thread. None: no reading yet, or the process changed."""
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

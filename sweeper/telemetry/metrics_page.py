"""What a server elsewhere reports of its own process, in the text format of Prometheus: CPU time and memory.

Prometheus' client libraries export these figures by themselves, each of the process that answers. Of several
figures of one name, such as one for each process, the sum counts.
"""

from __future__ import annotations

import math
import ssl
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

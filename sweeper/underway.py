"""A run under way: what it has, what has been gathered so far, and how it is put aside for another's turn."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from sweeper.interfaces import Clock, LoadSession, RunningServer, TelemetryProbe
from sweeper.observations import RequestLog, TelemetrySample
from sweeper.statistics.own_clock import Pause, growth, own_sample

CLIENT_FIRST_S = 0.002


@dataclass(slots=True)
class Underway:
    """A run under way: its server and load once there are, what has been gathered so far (a failure keeps
    it too), and its own clock."""

    clock: Clock
    server: RunningServer | None = None
    session: LoadSession | None = None
    probe: TelemetryProbe | None = None
    samples: list[TelemetrySample] = field(default_factory=list)
    requests: RequestLog | None = None
    pauses: list[Pause] = field(default_factory=list)
    _paused_s: float = 0.0
    _switching_s: float = 0.0
    _grown: dict[str, float] = field(default_factory=dict)
    _aside_s: float | None = None
    _aside: TelemetrySample | None = None

    def now_s(self) -> float:
        """On the run's own clock."""
        now_s = self.clock.monotonic_s() if self._aside_s is None else self._aside_s
        return now_s - self._paused_s

    def spent_s(self) -> float:
        """Its own time, and what it took to put it aside and take it up."""
        return self.now_s() + self._switching_s

    @property
    def rss_bytes(self) -> int:
        """The server's memory when the run was last put aside; 0 where that is not known."""
        return self._aside.server_rss_bytes if self._aside is not None else 0

    def put_aside(self) -> None:
        """Stop server and load where they are; their clock stands still. Does nothing twice."""
        if self._aside_s is not None or self.server is None or self.session is None:
            return
        self.session.freeze()
        self.server.freeze()
        self._aside_s = self.clock.monotonic_s()
        self._aside = self._look()
        self._switching_s += self.clock.monotonic_s() - self._aside_s

    def take_up(self) -> None:
        """Let them go on from where they are. Does nothing to a run that is not aside."""
        if self._aside_s is None or self.server is None or self.session is None:
            return
        begun_s = self.clock.monotonic_s()
        now = self._look()
        if self._aside is not None and now is not None:
            for name, grown in growth(self._aside, now).items():
                self._grown[name] = self._grown.get(name, 0) + grown
        self.pauses.append(Pause(self._aside_s, self.clock.monotonic_s()))
        self._paused_s += self.pauses[-1].duration_s
        self._switching_s += self.pauses[-1].end_s - begun_s
        self._aside_s = None
        self.session.thaw(self._paused_s)
        # Woken together with many server threads, one client process would have to wait for a core.
        self.clock.sleep(CLIENT_FIRST_S)
        self.server.thaw()

    def sample(self) -> None:
        """Keep a sample of now, on the run's own clock. Raises ProcessLookupError when the server is gone."""
        assert self.probe is not None
        self.samples.append(own_sample(self.probe.sample(), self._paused_s, self._grown))

    def _look(self) -> TelemetrySample | None:
        """None when the server has died meanwhile: the next step of the run will find out."""
        with suppress(ProcessLookupError):
            return self.probe.sample() if self.probe is not None else None
        return None

"""A run that is being made: what it has, what is gathered so far, how it is put aside for another's turn."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from sweeper.records.finding import Finding
from sweeper.records.observations import QuotaPeriods, RequestLog, TelemetrySample
from sweeper.run.interfaces import Clock, LoadSession, RunningServer, TelemetryProbe
from sweeper.statistics.own_clock import Pause, growth, own_sample

CLIENT_FIRST_S = 0.002  # the load generator wakes so much before the server
TO_BE_SAFE_S = 0.001  # by which a turn ends before a period of the CPU quota, rather than after it


@dataclass(slots=True)
class ActiveRun:
    """A run that is being made, with a clock of its own. What has been gathered is kept when it fails."""

    clock: Clock  # the host's
    server: RunningServer | None = None  # None until it is started; so are the next two
    session: LoadSession | None = None
    probe: TelemetryProbe | None = None
    samples: list[TelemetrySample] = field(default_factory=list)  # on the run's own clock
    requests: RequestLog | None = None  # on the run's own clock; None until the load has ended
    pauses: list[Pause] = field(default_factory=list)  # while it was aside
    quota: QuotaPeriods | None = None  # of the server; None: it has no CPU quota, or none that matters
    tried: Finding | None = None  # what came of the trial whether runs may take turns; None: it made none
    _paused_s: float = 0.0  # in all
    _switching_s: float = 0.0  # what it took to put it aside and take it up, in all
    _grown: dict[str, float] = field(default_factory=dict)  # by which counters grew in the pauses
    _aside_s: float | None = None  # since when; None while it goes on
    _overrun_s: float = 0.0  # by which its last turn was longer than planned
    _look_s: float = 0.0  # how long it took to read the counters of that moment
    _aside: TelemetrySample | None = None  # of the moment it was last put aside

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
        return (self._aside.server_rss_bytes or 0) if self._aside is not None else 0

    def put_aside(self) -> None:
        """Stop server and load where they are; their clock stands still. Does nothing twice."""
        if self._aside_s is not None or self.server is None or self.session is None:
            return
        self.session.freeze()
        self.server.freeze()
        self._aside_s = self.clock.monotonic_s()
        self._aside = self._look()
        self._look_s = self.clock.monotonic_s() - self._aside_s
        self._switching_s += self._look_s

    def end_turn(self, planned_s: float) -> None:
        """Put the run aside as close as possible to `planned_s` on its own clock. Does so only with a CPU
        quota, because a turn that reaches into the next period gets a further quota."""
        if self.quota is not None:
            self.put_aside()
            self._overrun_s = max(0.0, self.now_s() - planned_s)

    def take_up(self) -> None:
        """Let them go on from where they are. Does nothing to a run that is not aside."""
        if self._aside_s is None or self.server is None or self.session is None:
            return
        self._await_quota()
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

    def _await_quota(self) -> None:
        """A server that has stood still has its whole CPU quota, and gets it once more when the next period
        begins: it may go on only then, or each turn would give it more than its share."""
        if self.quota is not None:
            now_s, lead_s = self.clock.monotonic_s(), self._overrun_s + self._look_s + TO_BE_SAFE_S
            self.clock.sleep(self.quota.next_after(now_s + lead_s) - lead_s - now_s)

    def sample(self) -> None:
        """Keep a sample of now, on the run's own clock. Raises ProcessLookupError when the server is gone."""
        assert self.probe is not None
        self.samples.append(own_sample(self.probe.sample(), self._paused_s, self._grown))

    def _look(self) -> TelemetrySample | None:
        """None when the server has died meanwhile: the next step of the run will find out."""
        with suppress(ProcessLookupError):
            return self.probe.sample() if self.probe is not None else None
        return None

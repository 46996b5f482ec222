"""Where the warm-up ends (MSER-5) and whether the window drifts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sweeper.records.observations import RequestLog
from sweeper.records.run import FloatArray, Window
from sweeper.statistics.figures import shares_in

BATCH = 5
BIN_S = 0.2  # five bins make one batch of one second
CONFIDENCE = 0.99  # that what looks like the end of a warm-up is one
BEARABLE_BIAS = 0.01  # of the mean of what is kept, by a warm-up that is not quite over


def mser5(series: FloatArray) -> int | None:
    """Number of leading observations to drop so that the mean of the rest is most precise.

    White, "An effective truncation heuristic for bias reduction in simulation output", Simulation 69
    (1997), with batches of five. `series` has shape (n,). None when there are fewer than four batches.

    Cuts that leave the last few batches only are no candidates: a handful that happen to be alike would
    win (Hoad, Robinson & Davies, "Automating warm-up length estimation", J. Oper. Res. Soc. 61 (2010),
    leave out five; of a short series a third, or no cut beyond its half were left).
    """
    means = _batches(series)
    if len(means) < 4:
        return None
    last = min(5, max(3, len(means) // 3))
    scores = [float(np.var(means[cut:])) / (len(means) - cut) for cut in range(len(means) - last + 1)]
    return int(np.argmin(scores)) * BATCH


def _batches(series: FloatArray) -> FloatArray:
    batches = len(series) // BATCH
    means: FloatArray = series[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    return means


def settled_from(series: FloatArray, kept_from: int) -> bool:
    """Whether what is kept of `series`, from the observation `kept_from` on, has left the warm-up behind.

    MSER-5 says where the warm-up ends. Of a short series without any it names a place all the same, in one
    case of three beyond the first quarter. So where it ends within what is kept, that counts as warm-up
    only if the batches before differ from those after beyond chance (t test), and move the mean by more than
    is bearable. False where the series is too short to say.
    """
    cut = mser5(series)
    if cut is None:
        return False
    if cut <= kept_from:
        return True
    means = _batches(series)[-(-kept_from // BATCH) :]
    cut = cut // BATCH - -(-kept_from // BATCH)
    head, tail = means[:cut], means[cut:]
    if len(head) == 0:
        return True
    bias = abs(float(means.mean()) / float(tail.mean()) - 1.0) if tail.mean() > 0 else math.inf
    if bias <= BEARABLE_BIAS:
        return True
    # Of two measures of noise the smaller: a rise all along is none, and swells the tail's deviation; slow
    # noise hardly moves from neighbour to neighbour (von Neumann's estimator), and would hide a rise.
    noise = min(float(tail.std(ddof=1)), math.sqrt(float(np.mean(np.diff(means) ** 2)) / 2))
    quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(means) - 2))
    reach = noise * math.sqrt(1 / len(head) + 1 / len(tail)) * quantile
    return abs(float(head.mean() - tail.mean())) <= reach


@dataclass(frozen=True, slots=True)
class BinnedLoad:
    """Throughput and mean latency in bins of `bin_s` seconds from `start_s`; arrays of shape (bins,)."""

    start_s: float
    bin_s: float
    completions: FloatArray
    mean_latency_ms: FloatArray


def binned(log: RequestLog, start_s: float, end_s: float, bin_s: float = BIN_S) -> BinnedLoad:
    """Requests by the moment they completed. A bin with none repeats the latency of the one before."""
    bins = max(0, round((end_s - start_s) / bin_s))
    finished = log.finished_s
    inside = np.isfinite(finished) & (finished >= start_s) & (finished < start_s + bins * bin_s)
    index = np.clip(((finished[inside] - start_s) / bin_s).astype(int), 0, max(bins - 1, 0))
    counts = np.bincount(index, minlength=bins).astype(float)
    sums = np.bincount(index, weights=log.latency_ms[inside], minlength=bins)
    latency = np.divide(sums, counts, out=np.full(bins, np.nan), where=counts > 0)
    known = np.flatnonzero(~np.isnan(latency))
    if len(known):
        last_known = np.maximum.accumulate(np.where(np.isnan(latency), known[0], np.arange(bins)))
        latency = latency[last_known]
    return BinnedLoad(start_s, bin_s, counts, latency)


def is_steady(log: RequestLog, users_on_s: float, kept_from_s: float, until_s: float) -> bool:
    """Whether both one-second throughput and mean latency have left the warm-up behind by `kept_from_s`.

    `users_on_s` is when all users were on; `until_s` must not be later than what the log covers, or its
    empty end looks like a server that stopped.
    """
    series = binned(log, users_on_s, until_s)
    if len(series.completions) == 0 or np.isnan(series.mean_latency_ms).any():
        return False
    kept_from = round((kept_from_s - users_on_s) / series.bin_s)
    return all(settled_from(values, kept_from) for values in (series.completions, series.mean_latency_ms))


def change(log: RequestLog, window: Window, warmup_s: float) -> float | None:
    """Relative change of throughput from the window's first half to its second; None where either is 0."""
    middle_s = (window.start_s + window.end_s) / 2
    halves = Window(window.start_s, middle_s), Window(middle_s, window.end_s)
    first, second = (float(shares_in(log, half, warmup_s)[~log.failed].sum()) for half in halves)
    return second / first - 1 if first > 0 and second > 0 else None


def drift(log: RequestLog, start_s: float, end_s: float, confidence: float = 0.99) -> float | None:
    """Relative change of throughput from the window's first half to its second, beyond noise.

    Compares one-second counts with Welch's t interval and returns the limit nearer to zero, as a share
    (0.05 = at least 5% faster in the second half); None when the halves do not differ beyond noise or
    there are fewer than six seconds.
    """
    counts = binned(log, start_s, end_s, bin_s=1.0).completions
    half = len(counts) // 2
    if half < 3:
        return None
    first, second = counts[:half], counts[-half:]
    if first.mean() <= 0 or second.mean() <= 0:
        return None
    change = float(second.mean() - first.mean())
    parts = np.array([first.var(ddof=1), second.var(ddof=1)]) / half
    reach = 0.0
    if parts.any():  # counts may be all alike, which scipy's own test warns of
        freedom = parts.sum() ** 2 * (half - 1) / (parts**2).sum()
        reach = float(stats.t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(parts.sum()))
    beyond = max(0.0, abs(change) - reach)
    return float(np.copysign(beyond, change) / first.mean()) if beyond else None

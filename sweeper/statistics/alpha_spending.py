"""How much of an error each look at a study may spend.

The looks see the same blocks again and again, so that their errors overlap: to divide an error by the number
of looks wastes most of it. A look after block b of B may have spent error * (b / B)**1.5 by then (Lan and
DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 1983). The level that a single look
may be made at follows from the joint distribution of all looks, of sums of independent blocks (Armitage,
McPherson and Rowe, "Repeated significance tests on accumulating data", J. R. Statist. Soc. A 1969).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.signal import fftconvolve

EXPONENT = 1.5
"""Of the share of the blocks: most is left for the later looks, where it settles most."""
REACH, STEP = 9.0, 0.005
"""Of the grid on which the sum's density is followed, in standard deviations at the last look."""


@lru_cache(maxsize=4096)
def levels(error: float, looks: tuple[int, ...]) -> tuple[float, ...]:
    """The one-sided level at each of the `looks` (in blocks, ascending), so that a limit that is read at all
    of them fails with a probability of `error` at most. The last look's is the largest."""
    shares = np.array(looks, dtype=float) / looks[-1]
    spent = np.diff(error * shares**EXPONENT, prepend=0.0)
    grid = np.arange(-REACH, REACH + STEP / 2, STEP)  # of the sum over the blocks so far
    found: list[float] = []
    density = np.zeros_like(grid)
    for number, share in enumerate(shares):
        if number == 0:
            density = stats.norm.pdf(grid, scale=np.sqrt(share))
        else:
            added = stats.norm.pdf(grid, scale=np.sqrt(share - shares[number - 1]))
            density = np.maximum(fftconvolve(density, added, mode="same") * STEP, 0.0)
        above = (np.cumsum(density[::-1])[::-1] - density / 2) * STEP
        bound = float(np.interp(spent[number], above[::-1], grid[::-1]))
        found.append(float(stats.norm.sf(bound / np.sqrt(share))))
        density = np.where(grid < bound, density, 0.0)
    return tuple(found)

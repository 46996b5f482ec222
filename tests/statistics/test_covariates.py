"""When the host's speed is taken out of the comparison, and when it is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from sweeper.records.configuration import Configuration
from sweeper.statistics.blocks import Observation, fit
from sweeper.statistics.covariates import adjusted

WORKERS = (4, 8, 16, 32)
LIVE = {Configuration(workers) for workers in WORKERS}
MARGIN = 0.051


def observations(
    seed: int,
    slope: float = 1.3,
    host: float = 0.06,
    noise: float = 0.02,
    felt: float = 0.0,
    blocks: int = 5,
) -> list[Observation]:
    """log metric = slope x log host speed + noise; `felt` slows the probe by that much with 32 workers."""
    rng = np.random.default_rng(seed)
    made = []
    for block in range(1, blocks + 1):
        drift = rng.normal(0, 0.05)
        for workers in WORKERS:
            speed = rng.normal(0, host)
            value = 5.0 + drift + slope * speed + rng.normal(0, noise)
            seen = speed + rng.normal(0, 0.005) - (felt if workers == 32 else 0.0)
            made.append(Observation(Configuration(workers), block, value, (8.0 + seen,)))
    return made


def test_where_the_host_explains_the_noise_it_is_taken_out() -> None:
    result = adjusted(observations(1), LIVE, MARGIN)
    use = result.host_speed
    assert use.used
    assert use.slope == pytest.approx(1.3, abs=0.25)
    assert use.slope_low < 1.3 < use.slope_high
    assert use.deviation_with < 0.5 * use.deviation_without
    assert result.model.residual_deviation == use.deviation_with


def test_where_it_explains_nothing_the_model_is_the_one_without() -> None:
    made = observations(2, slope=0.0)
    result = adjusted(made, LIVE, MARGIN)
    assert not result.host_speed.used
    assert "nothing" in result.host_speed.why
    plain = fit([Observation(o.configuration, o.block, o.value) for o in made])
    assert result.model.effects == pytest.approx(plain.effects)


def test_a_faster_host_that_serves_less_is_chance() -> None:
    assert not adjusted(observations(3, slope=-1.3), LIVE, MARGIN).host_speed.used


def test_a_probe_that_feels_the_configuration_is_not_used() -> None:
    use = adjusted(observations(4, host=0.03, felt=0.15), LIVE, MARGIN).host_speed
    assert not use.used
    assert "depends on the value" in use.why
    assert use.felt == pytest.approx(0.15, abs=0.06)


def test_values_that_leave_a_core_idle_are_not_compared_by_the_probe() -> None:
    """Two blocks more would not show it in the probe's means: a core that wakes up is slow by 10%."""
    made = observations(1)
    busy = {Configuration(4): 1.0, Configuration(8): 1.45, Configuration(16): 1.9, Configuration(32): 1.9}
    result = adjusted(made, LIVE, MARGIN, busy)
    assert not result.host_speed.used
    assert "idle" in result.host_speed.why
    assert result.model.residual_deviation == result.host_speed.deviation_without
    alike = {Configuration(16), Configuration(32)}
    kept = adjusted(made, alike, MARGIN, busy)
    assert kept.host_speed.used


def test_what_was_dropped_may_have_been_felt() -> None:
    """One worker leaves a core idle, and a core that wakes up is slow; it is out, its runs are not asked."""
    made = observations(5, host=0.03, felt=0.15)
    use = adjusted(made, LIVE - {Configuration(32)}, MARGIN).host_speed
    assert use.used


def test_how_often_a_harmless_probe_is_refused_and_a_useless_one_used() -> None:
    """By chance: of 400 studies each about one in twenty, and one in forty."""
    refused = sum(not adjusted(observations(s), LIVE, MARGIN).host_speed.used for s in range(400))
    used = sum(adjusted(observations(s, slope=0.0), LIVE, MARGIN).host_speed.used for s in range(400))
    assert refused <= 0.09 * 400
    assert used <= 0.06 * 400


def test_a_run_without_a_probe_leaves_the_study_without_the_covariate() -> None:
    made = observations(6)
    made[3] = Observation(made[3].configuration, made[3].block, made[3].value)
    assert adjusted(made, LIVE, MARGIN).host_speed.why == "the probe did not run in every run"


def test_two_blocks_of_two_are_too_few() -> None:
    few = [o for o in observations(7, blocks=2) if o.configuration.workers <= 8]
    assert "too few" in adjusted(few, LIVE, MARGIN).host_speed.why


def test_a_host_speed_that_never_varies_is_no_covariate() -> None:
    made = [Observation(o.configuration, o.block, o.value, (8.0,)) for o in observations(8)]
    use = adjusted(made, LIVE, MARGIN).host_speed
    assert not use.used
    assert use.slope is None


def test_the_slopes_error_is_that_of_least_squares() -> None:
    """Against the textbook's formula, in a design of full rank."""
    made = observations(9)
    rows = [
        [*(float(o.configuration.workers == w) for w in WORKERS), *(float(o.block == b) for b in range(2, 6)),
         o.covariates[0]]
        for o in made
    ]  # fmt: skip
    design, values = np.array(rows), np.array([o.value for o in made])
    coefficients, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    residual = values - design @ coefficients
    variance = residual @ residual / (len(values) - rank)
    error = np.sqrt(variance * np.linalg.inv(design.T @ design)[-1, -1])
    model = fit(made)
    assert model.slopes[0] == pytest.approx(coefficients[-1])
    assert model.slope_errors[0] == pytest.approx(error)

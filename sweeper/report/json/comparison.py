"""A comparison as a JSON object for machines; keys are only ever added."""

from __future__ import annotations

from sweeper.analysis.comparison.result import Comparison, ConfigurationChange, FigureChange
from sweeper.analysis.fingerprints import Difference
from sweeper.report.json.values import configuration_object, interval_object

SCHEMA_VERSION = 1


def comparison_object(seen: Comparison) -> dict[str, object]:
    """Ratios are B ÷ A; `relative` ones are of the ratios to `reference`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "a": seen.a,
        "b": seen.b,
        "worse": seen.worse,
        "same_machine": seen.same_machine,
        "environment": [_difference(difference) for difference in seen.environment],
        "settings": [_difference(difference) for difference in seen.settings],
        "objective": seen.objective.value,
        "tolerance": seen.tolerance,
        "confidence": seen.confidence,
        "reference": None if seen.reference is None else configuration_object(seen.reference),
        "judged": [configuration_object(configuration) for configuration in seen.judged],
        "host_deviation": {"a": seen.host_a, "b": seen.host_b},
        "configurations": [_compared(one) for one in seen.configurations],
        "left_out": [configuration_object(configuration) for configuration in seen.left_out],
    }


def _difference(difference: Difference) -> dict[str, object]:
    return {
        "name": difference.name,
        "a": difference.a,
        "b": difference.b,
        "machine": difference.of_the_machine,
    }


def _compared(one: ConfigurationChange) -> dict[str, object]:
    return {
        **configuration_object(one.configuration),
        "runs": {"a": one.runs_a, "b": one.runs_b},
        "change": one.change.value,
        "by_reference": one.by_reference,
        "limit": one.limit or None,
        "blocks_needed": one.blocks_needed,
        "figures": {name: _figure(figure) for name, figure in one.figures.items()},
    }


def _figure(figure: FigureChange) -> dict[str, object]:
    return {
        "a": figure.a,
        "b": figure.b,
        "ratio": interval_object(figure.ratio),
        "in_these_hours": interval_object(figure.in_these_hours),
        "relative": interval_object(figure.relative),
    }

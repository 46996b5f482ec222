"""The gate before the pool, in the plan's and the answer's words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from sweeper.records.configuration import Configuration
from sweeper.report.formats import runtime_parameters, to_drum_yaml, to_env
from sweeper.report.text.gate import gate_in_words, gate_line
from tests.support.builders import configurations
from tests.support.recommendations import TEN, answer, levels

GATE, DEPTH = "DRUM_MAX_CONCURRENT_REQUESTS", "DRUM_MAX_QUEUE_DEPTH"


@pytest.mark.parametrize(
    ("counts", "users", "variables", "words"),
    [
        ((1, 4, 5), 100, {}, []),
        (
            (1, 4, 16, 32),
            100,
            {},
            [f"sweeper raises {GATE} from its default of 10 to 32 and 64, twice each worker count"],
        ),
        (tuple(range(1, 65)), 100, {}, ["to 128 at most"]),
        (
            (1, 4),
            250,
            {},
            [f"sweeper raises {DEPTH} from its default of 100 to 250, the number of users"],
        ),
        (
            (1, 200),
            20,
            {},
            [
                f"sweeper raises {GATE}",
                "from its default of 10 to 400, twice the worker count; ",
                f"sweeper raises {DEPTH} from its default of 100 to 400, so that the gate can be full",
            ],
        ),
        (
            (1, 16),
            20,
            {GATE: "12"},
            [f"sweeper does not raise {GATE}, because the environment sets it to 12"],
        ),
        ((1, 4), 20, {f"MLOPS_RUNTIME_PARAM_{GATE}": "3"}, ["does not raise", "sets it to 3"]),
    ],
)
def test_what_a_plan_says(
    counts: tuple[int, ...], users: int, variables: dict[str, str], words: list[str]
) -> None:
    said = gate_in_words(configurations(*counts), users, {"variables": variables})
    assert bool(said) == bool(words)
    assert [word for word in words if word not in said] == []


def test_a_gate_that_is_searched_is_not_said_to_be_raised() -> None:
    searched = [Configuration(16, parameters=((GATE, gate),)) for gate in (4, 16)]
    assert gate_in_words(searched, 20, {}) == ""


def test_the_answer_says_what_was_raised_and_what_is_pasted() -> None:
    few = replace(answer(levels(TEN)), users=100)
    many = replace(few, configuration=Configuration(workers=16))
    said = gate_line(few)
    assert said is not None and said.startswith(f"Gate: sweeper raised {GATE} from")
    assert "to 16, 32 and 64, twice each worker count." in said
    assert (gate_line(many) or "").endswith(f"; the lines to paste set {GATE}, too.")
    assert gate_line(replace(few, launcher="command")) is None
    assert gate_line(answer(levels({1: 100.0, 4: 140.0}))) is None


def test_a_gate_that_the_environment_set_is_the_one_to_paste() -> None:
    found = replace(
        answer(levels(TEN)), configuration=Configuration(workers=16), environment={"variables": {GATE: "20"}}
    )
    assert runtime_parameters(found)[GATE] == 20
    assert f"did not raise {GATE}, because the environment sets it to 20" in (gate_line(found) or "")


def test_a_count_beyond_the_queue_comes_with_a_queue_that_bears_it() -> None:
    """A gate of 400 with a queue depth of 100 refuses the 101st request at once."""
    found = replace(answer(levels(TEN)), configuration=Configuration(workers=200))
    parameters = {"DRUM_FASTAPI_EXECUTOR_WORKERS": 200, GATE: 400, DEPTH: 400}
    assert runtime_parameters(found) == parameters
    assert f"export MLOPS_RUNTIME_PARAM_{DEPTH}=" in to_env(found)
    assert yaml.safe_load(to_drum_yaml(found).values) == parameters

"""A recommendation as something to paste: a shell's `export`, DRUM's pair of YAML files, or JSON.

Pure functions from a record to text. `drum server` (1.18.1) reads a runtime parameter from the environment,
as `MLOPS_RUNTIME_PARAM_NAME` holding a JSON object, or from a YAML of values whose names the code dir's
model-metadata.yaml declares; both forms are tested against it. The JSON is in `recommendation_json`.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from sweeper.answers import Candidate, Recommendation
from sweeper.errors import UsageError
from sweeper.findings.wording import Names
from sweeper.records import Configuration
from sweeper.report.recommendation_json import (
    from_json_dict,
    runtime_parameters,
    to_json,
    to_json_dict,
)
from sweeper.runtime_parameters import POOL_SIZE, SERVER_PROCESSES

__all__ = ["DrumYaml", "from_json_dict", "to_drum_yaml", "to_env", "to_json", "to_json_dict"]

VALUES_FILE = "runtime-params.yaml"
METADATA_FILE = "model-metadata.yaml"
MOST = {POOL_SIZE: 512, SERVER_PROCESSES: 199}
"""The bounds we declare, or the number itself where that is higher; DRUM knows none for the first."""
DESCRIPTIONS = {POOL_SIZE: "Threads for synchronous predictions", SERVER_PROCESSES: "Server processes"}
COMMENT_WIDTH = 108


@dataclass(frozen=True, slots=True)
class DrumYaml:
    """The pair that `drum server --runtime-params-file` needs, each a YAML document without comments.

    `values` is the file given to the flag; `metadata` is a whole model-metadata.yaml for a code dir without
    one, and `definitions` its `runtimeParameterDefinitions` block alone, for a code dir that has one.
    """

    values: str
    metadata: str
    definitions: str
    remarks: tuple[str, ...]

    @property
    def text(self) -> str:
        """Both documents with comments that say where each goes, `---` in between."""
        return "\n".join(
            [
                *_comments(self.remarks),
                f"# 1 of 2: save as {VALUES_FILE}, for `drum server --runtime-params-file {VALUES_FILE} ...`",
                self.values + "---",
                f"# 2 of 2: add runtimeParameterDefinitions to the {METADATA_FILE} in the code dir; where it",
                "#   has none, save this as it, with the name and the targetType of your model",
                self.metadata,
            ]
        )


def to_env(rec: Recommendation) -> str:
    """Lines for a POSIX shell: comments with what the answer rests on, then one `export` for each parameter
    and for the native threads.

    Raises UsageError when the study gives no answer to paste.
    """
    lines = export_lines(rec)
    if not lines:
        raise _nothing_to_paste(rec)
    return "\n".join([*_comments(_remarks(rec)), *lines, ""])


def export_lines(rec: Recommendation) -> tuple[str, ...]:
    """The lines of `to_env` that do something; none without an answer.

    Without the last one a model may start a native thread for each core, which was not measured.
    """
    parameters, answer = runtime_parameters(rec), rec.configuration
    if not parameters or answer is None:
        return ()
    exports = (
        f"export MLOPS_RUNTIME_PARAM_{name}="
        + shlex.quote(json.dumps({"type": _type(value), "payload": value}))
        for name, value in parameters.items()
    )
    return (*exports, f"export OMP_NUM_THREADS={answer.model_threads}")


def to_drum_yaml(rec: Recommendation) -> DrumYaml:
    """The values file and the declaration for DRUM; raises UsageError when there is no answer to paste."""
    parameters = runtime_parameters(rec)
    if not parameters:
        raise _nothing_to_paste(rec)
    definitions: dict[str, object] = {
        "runtimeParameterDefinitions": [_definition(name, value) for name, value in parameters.items()]
    }
    metadata: dict[str, object] = {"name": "model", "type": "inference", "targetType": "regression"}
    return DrumYaml(
        values=_dump(dict(parameters)),
        metadata=_dump(metadata | definitions),
        definitions=_dump(definitions),
        remarks=tuple(_remarks(rec)),
    )


def _type(value: int | str) -> str:
    return "string" if isinstance(value, str) else "numeric"


def _definition(name: str, value: int | str) -> dict[str, object]:
    definition: dict[str, object] = {"fieldName": name, "type": _type(value), "defaultValue": value}
    if name in MOST and isinstance(value, int):
        definition |= {"minValue": 1, "maxValue": max(MOST[name], value)}
    return definition | {"description": DESCRIPTIONS.get(name, "As measured with the rest")}


def _nothing_to_paste(rec: Recommendation) -> UsageError:
    reason = _one_line(rec.reason).rstrip(".") or "it names no worker count"
    return UsageError(
        f"study {_one_line(rec.study)} has no recommendation ({rec.status}): {reason}; nothing to paste"
    )


def _remarks(rec: Recommendation) -> list[str]:
    remarks = [
        f"sweeper, study {rec.study}: {rec.status}, {rec.workers} threads for synchronous predictions",
        rec.reason,
        f"Rests on {rec.blocks} block{'' if rec.blocks == 1 else 's'}; objective {rec.objective}, "
        f"tolerance {rec.tolerance:.3g}, confidence {rec.confidence:.3g}",
    ]
    if len(rec.tied) > 1:
        good = _named(rec, rec.tied, rec.tied_candidates)
        remarks.append(f"As good as the best, or not told apart from it: {good}")
    if rec.smaller_unsettled:
        unsettled = _named(rec, rec.smaller_unsettled, rec.open_candidates)
        remarks.append(f"Smaller, and not settled whether as good: {unsettled}")
    if rec.configuration is not None:
        remarks.append(_measured_with(rec.configuration))
    return [*remarks, who_reads_it(rec)]


def _named(rec: Recommendation, counts: Sequence[int], found: Sequence[Candidate]) -> str:
    """Worker counts, unless there is more to tell those found apart by."""
    names = Names(candidate.configuration for candidate in rec.candidates)
    if names.kind == "count":
        return ", ".join(map(str, counts))
    return names.all([candidate.configuration for candidate in found])


def who_reads_it(rec: Recommendation) -> str:
    """Which servers heed what is pasted."""
    if rec.own_server:
        return (
            "Measured with a server of your own (--server-command): paste this only where that reads it, or "
            "write the number where {workers} stood"
        )
    return "Only DRUM's FastAPI server reads it: released DRUM up to 1.18.1 has none and ignores it"


def _measured_with(configuration: Configuration) -> str:
    """The count holds for these settings only, and neither is part of what is pasted."""
    return (
        f"Measured with OMP_NUM_THREADS={configuration.model_threads} and "
        f"CUSTOM_MODEL_WORKERS={configuration.processes}: set both alike for the server"
    )


def _comments(remarks: tuple[str, ...] | list[str]) -> list[str]:
    """Comment lines valid in a shell and in YAML: nothing in a remark can break out of its comment."""
    lines = []
    for remark in remarks:
        lines += textwrap.wrap(
            _one_line(remark),
            COMMENT_WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _one_line(text: str) -> str:
    """`text` on one line, without characters that a terminal, a shell or YAML would trip over."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _dump(document: dict[str, object]) -> str:
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=False)

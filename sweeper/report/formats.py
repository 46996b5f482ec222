"""A recommendation as something to paste: a shell's `export`, the environment of a container (`docker run`, a
Kubernetes deployment), or DRUM's pair of YAML files.

Pure functions from a record to text. `drum server` (1.18.1) reads a runtime parameter from the environment,
as `MLOPS_RUNTIME_PARAM_NAME` holding a JSON object, or from a YAML of values whose names the code dir's
model-metadata.yaml declares; both forms are tested against it.
"""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from sweeper.errors import UsageError
from sweeper.records.answer import Candidate, Recommendation, Status
from sweeper.records.configuration import Configuration
from sweeper.records.wording import Names, and_join, counted
from sweeper.settings.runtime_parameters import (
    GATE,
    GATE_DEPTH,
    POOL_SIZE,
    PREFIX,
    SERVER_PROCESSES,
    gate_for,
    set_by_hand,
)

VALUES_FILE = "runtime-params.yaml"
METADATA_FILE = "model-metadata.yaml"
PATCH_FILE = "patch.yaml"
CONTAINER = "model"
MOST = {POOL_SIZE: 512, GATE: 1024, GATE_DEPTH: 10_000, SERVER_PROCESSES: 199}
"""The bounds we declare, or the number itself where that is higher; DRUM knows none for the first."""
DESCRIPTIONS = {
    POOL_SIZE: "Threads for synchronous predictions",
    GATE: "Requests let through to them at once",
    GATE_DEPTH: "Requests let through or waiting",
    SERVER_PROCESSES: "Server processes",
}
OWN_THREADS = "own-threads"
"""A cause's clause that says what OMP_NUM_THREADS does not bind."""
COMMENT_WIDTH = 108


def runtime_parameters(rec: Recommendation) -> dict[str, int | str]:
    """What a deployment is to be given, by name; empty unless the study recommends something.

    Processes are DRUM's own default where they are 1, and not named then; so is the gate where it lets as
    many through as there are threads. A gate that the environment set is the one that was measured.
    """
    answer = rec.configuration
    if answer is None or rec.status not in (Status.RECOMMENDED, Status.PROVISIONAL):
        return {}
    processes = {} if answer.processes == 1 else {SERVER_PROCESSES: answer.processes}
    gate: dict[str, int | str] = {}
    if "gate" in rec.restart_sets:
        gate = {**gate_for(answer.workers)}
    elif not rec.own_server:
        measured = {n: int(v) for n, v in set_by_hand(rec.environment).items() if v.isdecimal()}
        gate = {**gate_for(answer.workers), **measured}
    return {POOL_SIZE: answer.workers, **gate, **processes, **dict(answer.parameters)}


@dataclass(frozen=True, slots=True)
class DrumYaml:
    """The pair that `drum server --runtime-params-file` needs, each a YAML document without comments."""

    values: str
    """The file given to the flag."""
    metadata: str
    """A whole model-metadata.yaml, for a code dir without one; to one that has it, its definitions go."""
    remarks: tuple[str, ...]
    """What the answer rests on, a comment each."""

    @property
    def text(self) -> str:
        """Both documents with comments that say where each goes, `---` in between."""
        return "\n".join(
            [
                *_comments(self.remarks),
                f"# 1 of 2: save as {VALUES_FILE}, for `drum server --runtime-params-file {VALUES_FILE} ...`",
                self.values + "---",
                f"# 2 of 2: add runtimeParameterDefinitions to the {METADATA_FILE} in the code dir; if there",
                "#   is none, save this under that name, with the name and the targetType of your model",
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
    return tuple(f"export {name}={shlex.quote(value)}" for name, value in environment_variables(rec).items())


def environment_variables(rec: Recommendation) -> dict[str, str]:
    """What a server's environment is to have, by name; empty without an answer."""
    parameters, answer = runtime_parameters(rec), rec.configuration
    if not parameters or answer is None:
        return {}
    variables = {
        f"{PREFIX}{name}": json.dumps({"type": _type(value), "payload": value})
        for name, value in parameters.items()
    }
    return variables | ({"OMP_NUM_THREADS": str(answer.model_threads)} if rec.sets_model_threads else {})


def to_docker(rec: Recommendation) -> str:
    """Comments, then options of `docker run` (or `podman run`), one on a line, each but the last with a
    backslash at its end. Raises UsageError when there is no answer to paste."""
    flags = [f"-e {shlex.quote(f'{name}={value}')}" for name, value in environment_variables(rec).items()]
    if not flags:
        raise _nothing_to_paste(rec)
    how = "Paste what follows between `docker run` and the image"
    return "\n".join([*_comments([*_remarks(rec), how]), " \\\n".join(flags), ""])


def to_kubernetes(rec: Recommendation) -> str:
    """A strategic merge patch of a deployment, YAML with comments. Raises UsageError when there is no answer
    to paste."""
    variables = environment_variables(rec)
    if not variables:
        raise _nothing_to_paste(rec)
    env = [{"name": name, "value": value} for name, value in variables.items()]
    container = {"name": CONTAINER, "env": env}
    how = (
        f"Save as {PATCH_FILE}, write the name of your container where `{CONTAINER}` stands, then run: "
        f"kubectl patch deployment NAME --patch-file {PATCH_FILE}"
    )
    patch: dict[str, object] = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return "\n".join([*_comments([*_remarks(rec), how]), _dump(patch)])


def to_drum_yaml(rec: Recommendation) -> DrumYaml:
    """The values file and the declaration for DRUM; raises UsageError when there is no answer to paste."""
    parameters = runtime_parameters(rec)
    if not parameters:
        raise _nothing_to_paste(rec)
    metadata: dict[str, object] = {
        "name": "model",
        "type": "inference",
        "targetType": "regression",
        "runtimeParameterDefinitions": [_definition(name, value) for name, value in parameters.items()],
    }
    return DrumYaml(
        values=_dump(dict(parameters)),
        metadata=_dump(metadata),
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
        f"Rests on {counted(rec.blocks, 'block')}; objective {rec.objective}, "
        f"tolerance {rec.tolerance:.3g}, confidence {rec.confidence:.3g}",
    ]
    if len(rec.tied) > 1:
        good = _named(rec, rec.tied, rec.tied_candidates)
        remarks.append(f"As good as the best, or too close to tell: {good}")
    if rec.smaller_unsettled:
        unsettled = _named(rec, rec.smaller_unsettled, rec.open_candidates)
        remarks.append(f"Smaller, and perhaps as good: {unsettled}")
    if rec.configuration is not None:
        remarks.append(_measured_with(rec, rec.configuration))
    remarks += (
        [clause.text for clause in rec.cause.clauses if clause.code == OWN_THREADS] if rec.cause else []
    )
    return [*remarks, who_reads_it(rec)]


def _named(rec: Recommendation, counts: Sequence[int], found: Sequence[Candidate]) -> str:
    """Worker counts, unless there is more to tell those found apart by."""
    names = Names(candidate.configuration for candidate in rec.candidates)
    if names.kind == "count":
        return ", ".join(map(str, counts))
    return names.all([candidate.configuration for candidate in found])


def who_reads_it(rec: Recommendation) -> str:
    """Which servers heed what is pasted."""
    if rec.remote:
        return (
            "Measured with a server that --restart-command restarts: paste this only where the server reads "
            "it, or write the number in place of {workers}"
        )
    if rec.own_server:
        return (
            "Measured with a server of your own (--server-command): paste this only if your server "
            "reads it, or "
            "write the number in place of {workers}"
        )
    return "Only DRUM's FastAPI server reads it: released DRUM up to 1.18.1 has none and ignores it"


def _measured_with(rec: Recommendation, configuration: Configuration) -> str:
    """The count holds for these settings only, and not all of them are part of what is pasted."""
    if rec.remote:
        named = and_join(sorted(f"{{{name}}}" for name in rec.restart_sets)) or "nothing"
        return (
            f"Measured where the restart command set {named}: the count holds if all other settings of that "
            "server stay the same"
        )
    return (
        f"Measured with OMP_NUM_THREADS={configuration.model_threads} and "
        f"CUSTOM_MODEL_WORKERS={configuration.processes}: set both to the same values for the server"
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

"""The settings of what is served: which kind of DRUM model it is, and what is sent to it.

Names and meanings are those of `drum server`.
"""

from __future__ import annotations

import shlex
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer

from sweeper.settings.command_line_option import LOAD, TARGET, Option
from sweeper.settings.upload import TARGET_TYPES

DEFAULT_MODEL = "xgboost"
AS_THEY_ARE = ("positive_class_label", "negative_class_label", "class_labels_file", "runtime_params_file")
OWN_OPTIONS = ("--code-dir", "-cd", "--address", "--max-workers", "--production", "--target-type")
"""Options of `drum server` that sweeper gives it; they cannot be among --drum-options."""


def _one_of_the_kinds(value: str) -> str:
    if value not in TARGET_TYPES:
        raise ValueError(value)
    return value


def _labels(value: object) -> object:
    """`yes,no,perhaps`, or a list of texts; no label twice."""
    found = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(label, str) and label for label in found):
        raise ValueError(value)
    if len(set(found)) != len(found):
        raise ValueError(value)
    return tuple(found)


def _words(value: str) -> str:
    """As a shell would split it."""
    words = shlex.split(value)
    if any(word.partition("=")[0] in OWN_OPTIONS for word in words):
        raise ValueError(value)
    return value


class ModelSettings(BaseModel):
    """The model, what `drum server` is told of it, and what its users send.

    The model's model-metadata.yaml may give what is None here.
    """

    model: Annotated[  # None: what the command measures where nothing is named
        str | None,
        Field(min_length=1, description="the name of a folder under models/"),
        Option("A folder under models/.", TARGET, "NAME", default=DEFAULT_MODEL),
    ] = None
    code_dir: Annotated[  # None: that of the model
        str | None,
        Field(min_length=1, description="a DRUM code folder"),
        Option("Your own DRUM code folder, instead of --model.", TARGET, "DIR"),
    ] = None
    data: Annotated[  # None: the model's sample.csv
        str | None,
        Field(min_length=1, description="a file to send, such as a CSV of rows to predict"),
        Option(
            "What each request sends: a CSV of rows, or another format that the model takes (mtx, JSON, "
            "text, or what its read_input_data hook reads, such as arrow).",
            TARGET,
            "FILE",
            default="the model's sample.csv",
        ),
    ] = None
    target_type: Annotated[
        str | None,
        AfterValidator(lambda value: value if value is None else _one_of_the_kinds(value)),
        Field(description=f"one of {', '.join(TARGET_TYPES)}"),
        Option(
            f"The kind of model: {', '.join(TARGET_TYPES)}.",
            TARGET,
            "TYPE",
            default="as model-metadata.yaml says",
        ),
    ] = None
    positive_class_label: Annotated[
        str | None,
        Field(min_length=1, description="a label, such as yes"),
        Option("Positive label of a binary model.", TARGET, "LABEL"),
    ] = None
    negative_class_label: Annotated[
        str | None,
        Field(min_length=1, description="a label, such as no"),
        Option("Negative label of a binary model.", TARGET, "LABEL"),
    ] = None
    class_labels: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(lambda value: value if value is None else _labels(value)),
        PlainSerializer(lambda labels: labels if labels is None else ",".join(labels)),
        Field(min_length=2, description="2 or more different labels, such as red,green,blue"),
        Option("Labels of a multiclass or multilabel model.", TARGET, "LABELS"),
    ] = None
    class_labels_file: Annotated[
        str | None,
        Field(min_length=1, description="a file with a label on each line"),
        Option("A file with a label on each line, instead of --class-labels.", TARGET, "FILE"),
    ] = None
    runtime_params_file: Annotated[
        str | None,
        Field(min_length=1, description="a YAML file of runtime parameters"),
        Option("Values of the runtime parameters that model-metadata.yaml declares.", TARGET, "YAML"),
    ] = None
    drum_options: Annotated[
        str | None,
        AfterValidator(lambda value: value if value is None else _words(value)),
        Field(
            min_length=1,
            description="further options of drum server, such as '--logging-level info', without those that "
            "sweeper sets (--code-dir, --address, --max-workers, --production, --target-type)",
        ),
        Option("Further options of drum server, such as '--logging-level info'.", TARGET, "'…'"),
    ] = None
    predict_path: Annotated[
        str | None,
        Field(
            pattern=r"^/\S*$", description="a path that starts with / and has no spaces, such as /predict/"
        ),
        Option("Path that requests are sent to.", LOAD, "PATH", default="by the kind of model"),
    ] = None
    content_type: Annotated[
        str | None,
        Field(pattern=r"^[\w.+-]+/[\w.+-]+(\s*;.*)?$", description="a media type, such as application/json"),
        Option(
            "Send the data as the whole body of a request, with this content type.",
            LOAD,
            "TYPE",
            default="the file X of a form; by the kind of model",
        ),
    ] = None

    @property
    def drum_arguments(self) -> tuple[str, ...]:
        """Those of `drum server` that follow from the settings, but for the kind of model."""
        arguments: list[str] = []
        for name in AS_THEY_ARE:
            value = getattr(self, name)
            if value is not None:
                arguments += [f"--{name.replace('_', '-')}", value]
        if self.class_labels is not None:
            arguments += ["--class-labels", *self.class_labels]
        return (*arguments, *shlex.split(self.drum_options or ""))

"""Do the labels go with the kind of model? DRUM takes any labels for any kind, and ignores some."""

from __future__ import annotations

from pathlib import Path

from sweeper.errors import UsageError
from sweeper.records.wording import counted
from sweeper.settings.combine import flag
from sweeper.settings.model_settings import ModelSettings
from sweeper.settings.upload import LABELS_OF


def check_labels(settings: ModelSettings, target_type: str) -> None:
    """Raises UsageError for labels that this kind of model does not take, or that are not all different."""
    taken = LABELS_OF.get(target_type, ())
    for kind, names in LABELS_OF.items():
        for name in names:
            value = getattr(settings, name)
            if value is not None and name not in taken:
                joint = " and " if target_type == "binary" else " or "
                instead = f"give {joint.join(map(flag, taken))} instead" if taken else "leave it out"
                text = value if isinstance(value, str) else ",".join(value)
                raise UsageError(
                    f"{flag(name)} '{text}' is for a {kind} model, and this one is {target_type}: {instead}, "
                    "or correct --target-type"
                )
    _check_two(settings)
    _check_many(settings)


def _check_two(settings: ModelSettings) -> None:
    positive, negative = settings.positive_class_label, settings.negative_class_label
    if positive is not None and positive == negative:
        raise UsageError(
            f"--positive-class-label and --negative-class-label are both '{positive}': they must differ"
        )


def _check_many(settings: ModelSettings) -> None:
    file = settings.class_labels_file
    if file is None:
        return
    if settings.class_labels is not None:
        raise UsageError(
            f"--class-labels '{','.join(settings.class_labels)}' and --class-labels-file '{file}' exclude "
            "each other: give one of them"
        )
    try:
        labels = [line for line in Path(file).read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"--class-labels-file '{file}' cannot be read ({reason}): it must be a file with a label on each "
            "line"
        ) from None
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None or len(labels) < 2:
        what = f"the label '{twice}' twice" if twice is not None else counted(len(labels), "label")
        raise UsageError(
            f"--class-labels-file '{file}' has {what}: it must have 2 or more different labels, one on each "
            "line"
        )

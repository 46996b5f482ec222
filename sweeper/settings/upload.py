"""What the default users send: where to and in which form, by the kind of model and the name of its data.

The kinds of models are those of `drum server --target-type`.
"""

from __future__ import annotations

from dataclasses import dataclass

TARGET_TYPES = (
    "regression",
    "binary",
    "multiclass",
    "multilabel",
    "anomaly",
    "textgeneration",
    "unstructured",
    "transform",
    "geopoint",
    "vectordatabase",
    "agenticworkflow",
)
LABELS_OF = {
    "binary": ("positive_class_label", "negative_class_label"),
    "multiclass": ("class_labels", "class_labels_file"),
    "multilabel": ("class_labels", "class_labels_file"),
}
"""The settings of labels by the kinds of models that take any."""
CHAT = "/chat/completions"
JSON = "application/json"
MEDIA_TYPES = {
    ".json": JSON,
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".html": "text/html",
    ".xml": "text/xml",
}
OF_UNKNOWN_BYTES = "application/octet-stream"
CSV_ENDINGS = ("", ".csv", ".txt")


@dataclass(frozen=True, slots=True)
class Upload:
    """One request's path and form, without the data."""

    path: str = "/predict/"
    content_type: str | None = None  # None: the data is the file `X` of a form, under its own name
    predictions: bool = True  # whether the answer is {"predictions": […]}, one for each row
    table: bool = True  # whether the data are rows of a CSV


def upload_of(
    target_type: str | None, data_name: str, path: str | None = None, content_type: str | None = None
) -> Upload:
    """`path` and `content_type` overrule what follows from the kind of model and the name of its data."""
    _, dot, suffix = data_name.rpartition(".")
    ending = f".{suffix.lower()}" if dot else ""
    table = ending in CSV_ENDINGS
    if target_type == "unstructured":
        usual = Upload(
            "/predictUnstructured/", MEDIA_TYPES.get(ending, OF_UNKNOWN_BYTES), predictions=False, table=False
        )
    elif target_type == "transform":
        usual = Upload("/transform/", predictions=False, table=table)
    elif target_type in ("textgeneration", "agenticworkflow") and ending == ".json":
        usual = Upload(CHAT, JSON, predictions=False, table=False)
    else:
        usual = Upload(table=table)
    path = path or usual.path
    content_type = content_type or usual.content_type
    return Upload(path, content_type, usual.predictions and path == usual.path, usual.table)

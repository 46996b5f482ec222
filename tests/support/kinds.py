"""One small code folder for each kind of model that `drum server` serves, made to be asked anything."""

from __future__ import annotations

import pickle
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.support.code_folders import COLUMNS, rows
from tests.support.hook_files import (
    COLUMN,
    EXTENSION,
    HURRIED,
    MODELS,
    MULTILABEL,
    REGRESSION_HOOKS,
    TEXT_GENERATION,
    TRANSFORM,
    UNSTRUCTURED,
)


@dataclass(frozen=True)
class Ask:
    """One request: what httpx needs for it."""

    path: str = "/predict/"
    method: str = "POST"
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A code folder, the options that `drum server` needs for it, and what to ask it."""

    target_type: str
    model: Callable[[], object] | None
    custom: str
    asks: list[Ask]
    options: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    extension: str = ""  # of DRUM's Flask application
    hooks_in: str = "."  # the folder of custom.py

    def make(self, path: Path) -> Path:
        path.mkdir(parents=True)
        if self.model is not None:
            (path / "model.pkl").write_bytes(pickle.dumps(self.model()))
        if self.custom:
            (path / self.hooks_in).mkdir(exist_ok=True)
            (path / self.hooks_in / "custom.py").write_text(textwrap.dedent(self.custom))
        if self.extension:
            (path / "custom_flask.py").write_text(self.extension)
        return path


def file(content: bytes | str, name: str = "sample.csv", path: str = "/predict/", **more: bytes) -> Ask:
    """A file under X, and further files under their names."""
    files = {"X": (name, content.encode() if isinstance(content, str) else content)}
    files.update({key: (f"{key}.csv", value) for key, value in more.items()})
    return Ask(path, given={"files": files})


def part(content: bytes) -> bytes:
    """A multipart body with the boundary B."""
    head = b'--B\r\nContent-Disposition: form-data; name="X"; filename="a.csv"\r\n\r\n'
    return head + content + b"\r\n--B--\r\n"


def body(content: bytes, content_type: str | None = "text/csv", path: str = "/predict/", **more: str) -> Ask:
    headers = {**more, **({"Content-Type": content_type} if content_type is not None else {})}
    return Ask(path, given={"content": content, "headers": headers})


def chat(text: str, path: str = "/chat/completions", *, stream: bool = False) -> Ask:
    message = {"role": "user", "content": text}
    return Ask(path, given={"json": {"model": "m", "messages": [message], "stream": stream}})


SAMPLE = rows().to_csv(index=False).encode()
WRONG_ENDPOINTS = [
    body(SAMPLE, path=path)
    for path in ("/predict/", "/transform/", "/predictUnstructured/", "/predictionsUnstructured/")
]
COMMON = [
    *(Ask(path, "GET") for path in ("/", "/ping", "/ping/", "/health/", "/capabilities/", "/models")),
    *WRONG_ENDPOINTS,
    chat("hello"),
    chat("hello", "/v1/chat/completions"),
    Ask("/v1/models", "GET"),
    Ask("/nowhere"),
    Ask("/predict/", "GET"),
    Ask("/info", "GET"),
    Ask("/predict/", "DELETE"),
    Ask("/directAccess/v1", "PUT"),
    Ask("/nim/v1", "GET"),
    Ask("/predict/"),
    file(SAMPLE, Y=b"a,b\n"),
]
STRUCTURED = [
    file(SAMPLE),
    file(SAMPLE, path="/predictions/"),
    file(SAMPLE, path="/invocations"),
    file(SAMPLE, name="no-ending"),
    file(rows(1).to_csv(index=False)),
    body(SAMPLE),
    body(SAMPLE, "text/csv; charset=utf-8"),
    body(SAMPLE, "text/plain"),
    body(SAMPLE, None),
    body(SAMPLE, "application/json"),
    body(b'{"a": [1]}', "application/json"),
    body(b"", "text/csv"),
    file(b""),
    Ask(given={"data": {"X": "a,b,c"}}),
    Ask(given={"files": {"Y": ("sample.csv", SAMPLE)}}),
    Ask(given={"content": b"--no form", "headers": {"Content-Type": "multipart/form-data; boundary=B"}}),
    Ask(given={"content": SAMPLE, "headers": {"Content-Type": "multipart/form-data"}}),
    file("a,b\n1,2\n3,4,5\n"),
    file("\n\n"),
    file(b"a,b,c\n\xff,1,2\n"),
    file(b"\x00\x01\x02"),
    file("a,b,c\n"),
    file("a,b\n1,2\n"),
    file("a,b,c,d\n1,2,3,4\n"),
    file("c,b,a\n1,2,3\n"),
    file("a,b,c\n1,x,3\n"),
    file("a,b,c\n1,,3\n"),
    file("a\n1\n\n3\n"),
    file(b"%%MatrixMarket matrix coordinate real general\n2 3 2\n1 1 1.5\n2 3 2.5\n", "a.mtx"),
    file(
        b"%%MatrixMarket matrix coordinate real general\n2 3 2\n1 1 1.5\n2 3 2.5\n",
        "a.mtx",
        **{"X.colnames": b"a\nb\nc"},
    ),
    file(b"no matrix", "a.mtx"),
    file(SAMPLE, name="SAMPLE.MTX"),
    file(SAMPLE, name=""),
    Ask(given={"files": [("Z", ("z.csv", b"no")), ("X", ("1.csv", SAMPLE)), ("X", ("2.csv", b"no"))]}),
    Ask(given={"content": part(SAMPLE), "headers": {"Content-Type": 'Multipart/Form-Data; boundary="B"'}}),
    *(
        Ask(given={"content": cut, "headers": {"Content-Type": "multipart/form-data; boundary=B"}})
        for cut in (part(SAMPLE)[:-3], part(SAMPLE)[:-30], part(SAMPLE)[:60], b"--B--\r\n")
    ),
]
HOOKED = [
    file("a;b\n1;2\n3;4\n"),
    body(b"a;b\n1;2\n", "application/octet-stream"),
    body(b"a;b\n1;2\n", "application/json"),
    file("unreadable"),
    file("untransformed\n1\n"),
    file("b\n1\n"),
    *(file(f"a;what\n1;{what}\n2;x\n") for what in ("raise", "user", "list", "columns", "texts", "extra")),
    file("a;what\n1;infinite\n2;x\n"),
    file("a;what\n1;kwargs\n"),
    file("a\n13\n"),
    file("a\n14\n"),
]
EXTENDED = [
    Ask("/mine/%C3%A4?x=1", "GET"),
    Ask("/mine/x%2Fy", "GET"),
    Ask("/mine/x", "PATCH"),
    Ask("/mine/x", "HEAD"),
    Ask("/nothing", "GET"),
    Ask("/fails", "GET"),
]
TEXTS = [
    body(data, content_type, f"/predictUnstructured/?ret={ret}", **{"X-Mine": "1"})
    for ret in ("text", "bytes", "json", "latin", "none", "raise", "number")
    for data, content_type in (
        (b"some text", "text/plain"),
        ("ä".encode("latin-1"), "text/plain; charset=latin-1"),
        (b"\x00\xff", "application/octet-stream"),
        (b'{"a": 1}', "application/json"),
        (b"", None),
    )
] + [
    body(b"\xff", "text/plain", "/predictionsUnstructured/"),
    body(b"x", "text/plain; charset=none-such", "/predictUnstructured/"),
]
CHATS = [
    chat("some words"),
    chat("some words", stream=True),
    chat("some words " * 40, "/v1/chat/completions", stream=True),
    chat("", stream=True),
    chat("begin and break", stream=True),
    chat("break", stream=True),
    chat("raise"),
    chat("raise", stream=True),
    chat("nothing"),
    Ask("/chat/completions", given={"content": b"{", "headers": {"Content-Type": "application/json"}}),
    Ask("/chat/completions", given={"content": b"{}"}),
    Ask("/chat/completions", given={"json": {}}),
]
TRANSFORMS = [
    file(content, path="/transform/", **more)
    for content in (SAMPLE, b"a,sparse\n1,0\n0,2\n", b"short\n1\n2\n", b"raise\n1\n", b"a\nx\n", b"")
    for more in ({}, {"y": b"t\n1\n2\n3\n4\n5\n6\n7\n"})
] + [Ask("/transform/"), body(SAMPLE, "application/json", "/transform/"), body(SAMPLE, path="/transform/")]
PROMPTS = [
    file("promptText\nhello\nyou there\n"),
    file("promptText,more\nhello,1\n"),
    file("other\n1\n"),
    body(b"promptText\nhello\n"),
]
FIRST_COLUMN = [file("a,b\nx,1\ny,2\n"), file("raise\n1\n"), file("a\n1\n")]


def table() -> pd.DataFrame:
    return rows(60)


def classes(*labels: str) -> np.ndarray[Any, Any]:
    return np.array(labels)[np.digitize(table()["a"], np.linspace(-0.5, 0.5, len(labels) - 1))]


def linear() -> object:
    return LinearRegression().fit(table(), table()["a"] * 3 - table()["b"])


def boosted() -> object:
    import xgboost

    regressor = xgboost.XGBRegressor(n_estimators=5, max_depth=2, n_jobs=1)
    return make_pipeline(StandardScaler().set_output(transform="pandas"), regressor).fit(
        table(), table()["a"]
    )


def logistic(*labels: str) -> Callable[[], object]:
    return lambda: LogisticRegression().fit(table(), classes(*labels))


def forest() -> object:
    return IsolationForest(n_estimators=5, random_state=1).fit(table())


TOO_MUCH = [
    file(f"a,b,c\n{number},2,3\n")
    for number in ("inf", "-inf", "1e400", "1e308", "1e39", "9" * 400, str(2**70), "nan")
]
"""Numbers that a model can hardly take, or not at all."""

KINDS = {
    "regression": Kind("regression", linear, HURRIED, [*COMMON, *STRUCTURED, *TOO_MUCH]),
    "xgboost": Kind("regression", boosted, HURRIED, [*COMMON, *STRUCTURED, *TOO_MUCH]),
    "binary": Kind(
        "binary",
        logistic("no", "yes"),
        HURRIED,
        [*COMMON, *STRUCTURED, *TOO_MUCH],
        ("--positive-class-label", "yes", "--negative-class-label", "no"),
    ),
    "multiclass": Kind(
        "multiclass",
        logistic("x", "y", "z"),
        HURRIED,
        [*COMMON, *STRUCTURED, *TOO_MUCH],
        ("--class-labels", "x", "y", "z"),
    ),
    "anomaly": Kind("anomaly", forest, HURRIED, [*COMMON, *STRUCTURED, *TOO_MUCH]),
    "hooks": Kind(
        "regression", None, HURRIED + REGRESSION_HOOKS, [*COMMON, *HOOKED, *EXTENDED], extension=EXTENSION
    ),
    "unstructured": Kind("unstructured", None, HURRIED + UNSTRUCTURED, [*COMMON, *TEXTS]),
    "textgeneration": Kind(
        "textgeneration",
        None,
        HURRIED + TEXT_GENERATION + MODELS,
        [*COMMON, *PROMPTS, *CHATS],
        variables={"TARGET_NAME": "resultText"},
    ),
    "transform": Kind("transform", None, HURRIED + TRANSFORM, [*COMMON, *TRANSFORMS]),
    "geopoint": Kind(
        "geopoint",
        linear,  # DRUM looks for hooks below the folder only when there is an artifact in it
        HURRIED + COLUMN.replace("COLUMN", '"Predictions"'),
        [*COMMON, *FIRST_COLUMN],
        hooks_in="src",
    ),
    "vectordatabase": Kind(
        "vectordatabase",
        None,
        HURRIED + COLUMN.replace("COLUMN", '"found"'),
        [*COMMON, *FIRST_COLUMN],
        variables={"TARGET_NAME": "found"},
    ),
    "agenticworkflow": Kind(
        "agenticworkflow",
        None,
        HURRIED + TEXT_GENERATION,
        [*COMMON, *PROMPTS, *CHATS],
        variables={"TARGET_NAME": "resultText"},
    ),
    "multilabel": Kind(
        "multilabel",
        None,
        HURRIED + MULTILABEL,
        [*COMMON, file(SAMPLE), file("wrong\n1\n")],
        ("--class-labels", "x", "y", "z"),
    ),
}
assert COLUMNS == ["a", "b", "c"]

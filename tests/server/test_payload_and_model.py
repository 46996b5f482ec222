"""From a request's bytes to predictions: bodies, hooks, artifacts, and whose fault a failure is."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sweeper.server.code_dir import inspect_code_dir
from sweeper.server.errors import RequestError, StartError
from sweeper.server.loading import load
from sweeper.server.model import Model, encode
from sweeper.server.payload import read_samples
from tests.server.folders import csv, expected, folder, regression, rows

NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key.  - binary data"
)
FORM = "multipart/form-data; boundary=B"


@pytest.fixture(autouse=True)
def own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loading hooks adds to sys.path and sys.modules, which is right in a server and not here."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("custom", None)


def part(content: bytes, name: str = "X", file_name: str | None = "sample.csv") -> bytes:
    file = f'; filename="{file_name}"' if file_name is not None else ""
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"{file}\r\nContent-Type: text/csv\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--B--\r\n"


def refused(status: int, *args: Any) -> str:
    """The message with which `args[0]`, called with the rest, refuses."""
    with pytest.raises(RequestError) as caught:
        args[0](*args[1:])
    assert caught.value.status == status, caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


def loaded(path: Path, custom: str | None = None, **kwargs: Any) -> Model:
    return load(inspect_code_dir(folder(path, custom, **kwargs)))


def predictions(model: Model, data: bytes, content_type: str = "text/csv") -> Any:
    return json.loads(model.answer(content_type, data))["predictions"]


def not_started(path: Path) -> str:
    with pytest.raises(StartError) as caught:
        load(inspect_code_dir(path))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# --- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body", "mimetype"),
    [
        ("text/csv", b"a\n1\n", "text/csv"),
        ("text/csv; charset=utf-8", b"a\n1\n", "text/csv"),
        ("", b"a\n1\n", None),
        (FORM, form(part(b"a\n1\n")), None),
        ('Multipart/Form-Data; boundary="B"', form(part(b"a\n1\n")), None),
        (FORM, form(part(b"no", "Y"), part(b"a\n1\n"), part(b"no", "Z")), None),
        (FORM, form(part(b"no", file_name=None), part(b"a\n1\n")), None),
        (FORM, form(part(b"a\n1\n"), part(b"second file under X")), None),
        (FORM, form(part(b"a\n1\n", file_name="S.MTX")), "text/mtx"),
        (FORM, form(part(b"a\n1\n", file_name="")), None),
    ],
)
def test_samples_in_a_body(content_type, body, mimetype):
    samples = read_samples(content_type, body)
    assert (samples.data, samples.mimetype) == (b"a\n1\n", mimetype)


def test_the_charset_is_kept_for_score():
    assert read_samples("text/csv; charset=latin-1", b"a").charset == "latin-1"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b""),
        ("text/csv", b""),
        (FORM, form(part(b"a\n1\n", "Y"))),
        (FORM, form(part(b"a\n1\n", "x"))),
        (FORM, form(part(b"a\n1\n", file_name=None))),
        (FORM, b"--B--\r\n"),
        (FORM, b""),
        ("application/x-www-form-urlencoded", b"X=1"),
    ],
)
def test_without_a_file_x_the_answer_is_drums_word_for_word(content_type, body):
    assert refused(422, read_samples, content_type, body) == NO_SAMPLES


@pytest.mark.parametrize(
    ("content_type", "body", "reason"),
    [
        ("multipart/form-data", form(part(b"a")), "its content type names no boundary"),
        (FORM, part(b"a\n1\n"), "it ends in the middle of a file"),
        (FORM, part(b"a\n1\n")[:-3], "it ends in the middle of a file"),
        (FORM, b"a,b\n1,2\n", "boundary"),
    ],
)
def test_a_broken_multipart_body_says_what_is_wrong_with_it(content_type, body, reason):
    message = refused(422, read_samples, content_type, body)
    assert message.startswith("ERROR: The multipart body cannot be read: ")
    assert reason in message


@given(st.integers(1))
def test_a_body_cut_anywhere_is_never_taken_for_a_shorter_file(cut):
    body = form(part(b"a,b\n1,2\n3,4\n"))
    cut = cut % body.index(b"--B--")
    assert refused(422, read_samples, FORM, body[:cut])


@given(st.binary(max_size=200))
def test_any_file_comes_through_unchanged(content):
    if b"--B" not in content:
        assert read_samples(FORM, form(part(content))).data == content


@given(st.text(max_size=60), st.binary(max_size=80))
def test_any_request_is_read_or_refused_with_422(content_type, body):
    try:
        samples = read_samples(content_type.encode("utf-8").decode("latin-1"), body)
    except RequestError as error:
        assert error.status == 422
    else:
        assert samples.data == body


# --- predictions -------------------------------------------------------------------------------------------


def test_predictions_equal_the_bare_models(tmp_path):
    model = loaded(tmp_path)
    assert predictions(model, csv()) == expected()
    assert predictions(model, form(part(csv())), FORM) == expected()
    assert model.predictor == "scikit-learn"


def test_one_row_is_one_number(tmp_path):
    assert predictions(loaded(tmp_path), csv(rows(1))) == expected(rows(1))


def test_blank_lines_of_a_single_column_are_missing_values(tmp_path):
    custom = """
    def load_model(code_dir):
        class Counts:
            def predict(self, data):
                return data["a"].isna().astype(float)
        return Counts()
    """
    assert predictions(loaded(tmp_path, custom, artifact=False), b"a\n1\n\n3\n") == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("content_type", "data", "reason"),
    [
        ("text/csv", b"a,b\n1,2\n3,4,5\n", "cannot be read as CSV: ParserError"),
        ("text/csv", b"\n\n", "cannot be read as CSV: EmptyDataError"),
        ("text/csv", b"a,b,c\n\xff,1,2\n", "cannot be read as CSV: UnicodeDecodeError"),
        ("text/csv", b"a,b,c\n", "hold no rows"),
        ("text/csv", b"a,b\n1,2\n", "lack the column c; the model takes the columns a, b, c"),
        ("text/csv", b"a,b,c,d\n1,2,3,4\n", "have the column d, which the model does not know"),
        ("text/csv", b"c,b,a\n1,2,3\n", "in another order"),
        ("text/csv", b"a,b,c\n1,x,3\n", "values that are no numbers in the column b"),
        ("text/csv", b"a,b,c\n1,,3\n", "lack values in the column b"),
        ("text/csv", b"a,b,c\n1,inf,3\n", "infinite values in the column b"),
        ("application/json", b"{}", "payload format `application/json` is not supported"),
        (FORM, form(part(b"%%MatrixMarket", file_name="a.mtx")), "payload format `text/mtx`"),
    ],
)
def test_samples_the_model_cannot_take_are_the_clients_fault(tmp_path, content_type, data, reason):
    message = refused(422, loaded(tmp_path).answer, content_type, data)
    assert message.startswith("ERROR: ")
    assert reason in message


@pytest.mark.filterwarnings("ignore:X has feature names")
def test_a_model_without_names_still_knows_how_many_columns(tmp_path):
    folder(tmp_path, artifact=False)
    bare = regression().fit(rows(20).to_numpy(), np.arange(20.0))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(bare))
    model = load(inspect_code_dir(tmp_path))
    assert refused(422, model.answer, "text/csv", b"a,b\n1,2\n") == (
        "ERROR: The samples have 2 columns; the model takes 3."
    )


def test_nan_and_infinity_are_null():
    body = encode(np.array([1.5, np.nan, np.inf, -np.inf]), None)
    assert json.loads(body) == {"predictions": [1.5, None, None, None]}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_every_number_comes_back_as_it_was(numbers):
    assert json.loads(encode(np.array(numbers, dtype=float), None)) == {"predictions": numbers}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('two\\nlines')", "Failure when making predictions. Exception: ValueError("),
        ("raise ZeroDivisionError", "ZeroDivisionError"),
        ("return ['x'] * len(data)", "predict must return numbers"),
        ("return data", "predict must return one number a row, not the shape (7, 3)"),
        ("return 1.0", "not the shape ()"),
    ],
)
def test_a_failing_model_is_500(tmp_path, body, reason):
    custom = f"""
    class Bad:
        def predict(self, data):
            {body}

    def load_model(code_dir):
        return Bad()
    """
    model = loaded(tmp_path, custom, artifact=False)
    assert model.predictor == "python"
    assert reason in refused(500, model.answer, "text/csv", csv())


# --- hooks -------------------------------------------------------------------------------------------------


def test_every_hook_is_called_with_what_drum_calls_it(tmp_path):
    custom = """
    import io
    import pandas as pd

    calls = []

    def init(**kwargs):
        calls.append(("init", sorted(kwargs)))

    def load_model(code_dir):
        calls.append(("load_model", code_dir))
        return {"factor": 10}

    def read_input_data(data):
        calls.append(("read_input_data", type(data).__name__))
        return pd.read_csv(io.BytesIO(data), sep=";")

    def transform(data, model):
        calls.append(("transform", list(data.columns), model))
        return data.rename(columns=str.upper)

    def score(data, model, **kwargs):
        calls.append(("score", list(data.columns), sorted(kwargs), kwargs["target_type"], kwargs["mimetype"]))
        return pd.DataFrame({"Predictions": data["A"] * model["factor"]})

    def post_process(predictions, model):
        calls.append(("post_process", list(predictions.columns), model))
        return predictions + 1
    """
    model = loaded(tmp_path, custom, artifact=False)
    assert model.predictor is None
    assert predictions(model, b"a;b\n1;2\n3;4\n", "application/octet-stream") == [11.0, 31.0]
    names = ["binary_data", "charset", "mimetype", "sparse_colnames", "target_type"]
    assert sys.modules["custom"].calls == [
        ("init", ["code_dir"]),
        ("load_model", str(tmp_path)),
        ("read_input_data", "bytes"),
        ("transform", ["a", "b"], {"factor": 10}),
        ("score", ["A", "B"], names, "regression", "application/octet-stream"),
        ("post_process", ["Predictions"], {"factor": 10}),
    ]


def test_transform_and_post_process_around_the_artifact(tmp_path):
    custom = """
    def transform(data, model):
        return data.rename(columns={"A": "a"})

    def post_process(predictions, model):
        return predictions * 2
    """
    data = rows().rename(columns={"a": "A"})
    assert predictions(loaded(tmp_path, custom), csv(data)) == [2 * value for value in expected()]


def test_columns_of_score_beyond_predictions_are_extra_output(tmp_path):
    custom = """
    import pandas as pd

    def score(data, model, **kwargs):
        return pd.DataFrame({"why": ["x"] * len(data), "Predictions": model.predict(data)})
    """
    answer = json.loads(loaded(tmp_path, custom).answer("text/csv", csv()))
    assert answer["predictions"] == expected()
    assert answer["extraModelOutput"]["columns"] == ["why"]
    assert answer["extraModelOutput"]["data"] == [["x"]] * 7


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("def score(data, model, **kwargs):\n    return [1]", "score must return a DataFrame"),
        ("def score(data, model, **kwargs):\n    return data", "score must return the column Predictions"),
        ("def score(data, model, **kwargs):\n    return 1 / 0", "Model 'score' hook failed."),
        ("def transform(data, model):\n    return None", "transform must return a DataFrame"),
        ("def transform(data, model):\n    return data[['a']]", "Failure when making predictions."),
        ("def post_process(predictions, model):\n    raise KeyError('k')", "'post_process' hook failed."),
        ("def read_input_data(data):\n    raise OSError", "Model 'read_input_data' hook failed."),
    ],
)
def test_a_failing_hook_is_500(tmp_path, hook, reason):
    assert reason in refused(500, loaded(tmp_path, hook).answer, "text/csv", csv())


@pytest.mark.parametrize(
    ("custom", "reason"),
    [
        ("import no_such_module", "custom.py cannot be imported: ModuleNotFoundError"),
        ("def load_model(:\n", "custom.py cannot be imported: SyntaxError"),
        ("raise SystemExit(3)", "custom.py cannot be imported: SystemExit: 3"),
        ("score = 3", "score in"),
        ("def init(code_dir):\n    raise ValueError('a\\nb')", "init in"),
        ("def load_model(code_dir):\n    return None", "returned None; it must return the model"),
        ("def load_model(code_dir):\n    return 1 / 0", "failed: ZeroDivisionError"),
        ("def load_model(code_dir):\n    return 3", "is a int, which has no predict method"),
    ],
)
def test_hooks_that_cannot_be_used_stop_the_start(tmp_path, custom, reason):
    assert reason in not_started(folder(tmp_path, custom))


def test_hooks_may_lie_below_the_folder_and_import_their_neighbours(tmp_path):
    folder(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "neighbour_of_hooks.py").write_text("FACTOR = 5\n")
    (tmp_path / "src" / "custom.py").write_text(
        "from neighbour_of_hooks import FACTOR\n"
        "def post_process(predictions, model):\n    return predictions * FACTOR\n"
    )
    model = load(inspect_code_dir(tmp_path))
    sys.modules.pop("neighbour_of_hooks")
    assert predictions(model, csv()) == [5 * value for value in expected()]


# --- artifacts ---------------------------------------------------------------------------------------------


def test_no_artifact(tmp_path):
    assert "holds no model artifact" in not_started(folder(tmp_path, artifact=False))
    custom = "def score(data, model, **kwargs):\n    return data\n"
    assert "holds no model artifact" in not_started(folder(tmp_path, custom, artifact=False))


def test_the_mere_word_load_model_does_not_replace_an_artifact(tmp_path):
    assert "holds no model artifact" in not_started(folder(tmp_path, "# load_model\n", artifact=False))


def test_two_artifacts_need_a_choice(tmp_path):
    folder(tmp_path)
    (tmp_path / "other.joblib").write_bytes(b"")
    assert "holds 2 model artifacts (model.pkl, other.joblib)" in not_started(tmp_path)
    custom = """
    import pathlib
    import pickle

    def load_model(code_dir):
        return pickle.loads(pathlib.Path(code_dir, "model.pkl").read_bytes())
    """
    assert predictions(loaded(tmp_path, custom), csv()) == expected()


def test_a_json_file_is_an_artifact_only_if_xgboost_wrote_it(tmp_path):
    folder(tmp_path)
    for number, text in enumerate(['{"kind": "learner"}', "[]", "", '{"a": {"learner": 1}}']):
        (tmp_path / f"model{number}.json").write_text(text)
    (tmp_path / "notes.PKL.txt").write_text("")
    assert [file.name for file in inspect_code_dir(tmp_path).artifacts] == ["model.pkl"]


@pytest.mark.parametrize("name", ["model.json", "MODEL.JSON", "model.ubj", "model.pkl", "model.joblib"])
def test_each_form_of_an_xgboost_model_is_served(tmp_path, name):
    data = rows(30)
    model = xgboost.XGBRegressor(n_estimators=5, max_depth=2, n_jobs=1).fit(data, data["a"])
    if name.endswith(".pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(model))
    elif name.endswith(".joblib"):
        joblib.dump(model, tmp_path / name)
    else:
        (tmp_path / "saved").mkdir()
        model.save_model(tmp_path / "saved" / name.lower())
        (tmp_path / "saved" / name.lower()).rename(tmp_path / name)
    (tmp_path / "metadata.json").write_text('{"model": "a description"}')
    served = load(inspect_code_dir(tmp_path))
    assert served.predictor == "xgboost"
    assert predictions(served, csv()) == [float(value) for value in model.predict(rows())]
    assert "lack the column c" in refused(422, served.answer, "text/csv", b"a,b\n1,2\n")


def test_a_pickled_booster_and_a_pipeline(tmp_path):
    data = rows(30)
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(data, data["a"]), 4)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(booster))
    served = load(inspect_code_dir(tmp_path))
    assert served.predictor == "xgboost"
    assert predictions(served, csv()) == [float(value) for value in booster.predict(xgboost.DMatrix(rows()))]
    pipeline = make_pipeline(StandardScaler(), xgboost.XGBRegressor(n_estimators=3, n_jobs=1))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(pipeline.fit(data, data["a"])))
    served = load(inspect_code_dir(tmp_path))
    assert served.predictor == "xgboost"
    assert predictions(served, csv()) == [float(value) for value in pipeline.predict(rows())]


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.ubj"])
@pytest.mark.parametrize("content", [b"", b"\x80\x05not a model", b"\x00" * 100])
def test_a_corrupt_artifact_is_one_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert not_started(tmp_path).startswith(f"The artifact {tmp_path / name} cannot be loaded: ")


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    assert "does not exist" in not_started(tmp_path / "missing")
    assert "is not a folder" in not_started(tmp_path / "file")


def test_two_files_of_hooks(tmp_path):
    folder(tmp_path, "")
    folder(tmp_path / "sub", "", artifact=False)
    assert "holds 2 files of hooks (custom.py, sub/custom.py)" in not_started(tmp_path)


def test_a_folder_named_custom_py_is_no_file_of_hooks(tmp_path):
    folder(tmp_path)
    (tmp_path / "custom.py").mkdir()
    assert inspect_code_dir(tmp_path).custom is None

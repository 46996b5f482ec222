"""What a custom.py can be, for each kind of model: hooks that do what the data ask for, right or wrong."""

from __future__ import annotations

HURRIED = "import sys\n\nsys.setswitchinterval(1e-5)  # threads change places all the time\n"

REGRESSION_HOOKS = """
import io

import pandas as pd
from datarobot_drum.drum.exceptions import BaseCustomUserError

def load_model(code_dir):
    return {"factor": 10}

def read_input_data(data):
    if data.startswith(b"unreadable"):
        raise OSError("no such format")
    return pd.read_csv(io.BytesIO(data), sep=";")

def transform(data, model):
    if "untransformed" in data.columns:
        return None
    return data.rename(columns=str.upper)

def score(data, model, **kwargs):
    wanted = data["WHAT"].iloc[0] if "WHAT" in data.columns else "numbers"
    if wanted == "raise":
        raise ValueError("two\\nlines")
    if wanted == "user":
        raise BaseCustomUserError("the user's own fault")
    if wanted == "list":
        return [1.0]
    if wanted == "columns":
        return pd.DataFrame({"a": data["A"], "b": data["A"]})
    if wanted == "texts":
        return pd.DataFrame({"Predictions": ["x"] * len(data)})
    if wanted == "extra":
        return pd.DataFrame({"why": ["ä"] * len(data), "Predictions": data["A"] * model["factor"]})
    if wanted == "infinite":
        return pd.DataFrame({"Predictions": [float("nan"), float("inf")]})
    if wanted == "kwargs":
        names = ",".join(sorted(kwargs))
        return pd.DataFrame({"names": [names] * len(data), "Predictions": data["A"]})
    return pd.DataFrame({"Predictions": data["A"] * model["factor"]})

def post_process(predictions, model):
    if (predictions["Predictions"] == 130).any():
        raise KeyError("k")
    if (predictions["Predictions"] == 140).any():
        return predictions["Predictions"]
    return predictions + 1
"""

EXTENSION = """
from flask import Response

def init_app(app):
    inner = app.wsgi_app

    @app.route("/mine/<name>", methods=["GET", "PATCH"])
    def mine(name):
        answer = Response(iter(["a", "b", name]), mimetype="text/plain")  # a stream
        answer.set_cookie("one", "1")
        answer.set_cookie("two", "2")
        return answer

    @app.route("/nothing")
    def nothing():
        return "", 204

    @app.route("/fails")
    def fails():
        raise ValueError("no")

    def wrapped(environ, start_response):
        yield from inner(environ, start_response)  # an answer that begins with its first chunk

    app.wsgi_app = wrapped
"""

UNSTRUCTURED = """
import json

def load_model(code_dir):
    return "a model"

def score_unstructured(model, data, query, **kwargs):
    wanted = query.get("ret", "text")
    if wanted == "raise":
        raise ValueError("no")
    if wanted == "number":
        return 3
    if wanted == "bytes":
        return data if isinstance(data, bytes) else data.encode()
    if wanted == "json":
        seen = {"type": type(data).__name__, "length": len(data), "mimetype": kwargs.get("mimetype"),
                "charset": kwargs.get("charset"), "mine": kwargs["headers"].get("X-Mine")}
        return json.dumps(seen), {"mimetype": "application/json", "charset": "utf8"}
    if wanted == "latin":
        return "ä" + str(data), {"mimetype": "text/plain", "charset": "latin-1"}
    if wanted == "none":
        return None
    return "got " + str(data)
"""

CHAT = """
import json
from types import SimpleNamespace

class Shown:
    def __init__(self, document):
        self.document = document
        self.object = document["object"]
        self.choices = [
            SimpleNamespace(
                message=SimpleNamespace(**choice.get("message", {})),
                delta=SimpleNamespace(**choice.get("delta", {})),
            )
            for choice in document["choices"]
        ]

    def to_dict(self):
        return self.document

    def to_json(self, indent=None):
        return json.dumps(self.document, indent=indent)

def piece(text):
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}}
    return Shown({"object": "chat.completion.chunk", "model": "m", "choices": [choice]})

class Pieces:
    def __init__(self, text):
        self.words = text.split()

    def __iter__(self):
        for word in self.words:
            if word == "break":
                raise ValueError("in the middle")
            yield piece(word)

    def __repr__(self):  # DRUM prints it
        return "pieces"

def chat(completion_create_params, model):
    text = completion_create_params["messages"][-1]["content"]
    if text == "raise":
        raise ValueError("no")
    if text == "nothing":
        return None
    if completion_create_params.get("stream"):
        return Pieces(text)
    choice = {"index": 0, "message": {"role": "assistant", "content": text.upper()}}
    return Shown({"object": "chat.completion", "model": "m", "choices": [choice]})
"""

TEXT_GENERATION = (
    """
import pandas as pd

def load_model(code_dir):
    return "a model"

def score(data, model, **kwargs):
    if "promptText" not in data.columns:
        raise ValueError("no promptText")
    found = pd.DataFrame({"resultText": data["promptText"].str.upper()})
    return found.assign(tokens=3) if "more" in data.columns else found
"""
    + CHAT
)

MODELS = """
def get_supported_llm_models(model):
    class One:
        object = "model"
        def to_dict(self):
            return {"object": "model", "id": "m"}
    return [One(), "no model"]
"""

TRANSFORM = """
import pandas as pd
from scipy.sparse import csr_matrix

def load_model(code_dir):
    return "a model"

def transform(data, model):
    if "raise" in data.columns:
        raise ValueError("no")
    if "short" in data.columns:
        return data.head(1)
    if "sparse" in data.columns:
        return pd.DataFrame.sparse.from_spmatrix(csr_matrix(data.to_numpy(dtype=float)), columns=data.columns)
    return data.assign(total=data.sum(axis=1))
"""

COLUMN = """
import pandas as pd

def load_model(code_dir):
    return "a model"

def score(data, model, **kwargs):
    if "raise" in data.columns:
        raise ValueError("no")
    return pd.DataFrame({COLUMN: [f"of {value}" for value in data.iloc[:, 0]]})
"""

MULTILABEL = """
import pandas as pd

def load_model(code_dir):
    return "a model"

def score(data, model, **kwargs):
    if "wrong" in data.columns:
        return pd.DataFrame({"x": [1.5] * len(data), "y": [0.0] * len(data)})
    return pd.DataFrame({"x": [0.75] * len(data), "y": [0.5] * len(data), "z": [0.25] * len(data)})
"""

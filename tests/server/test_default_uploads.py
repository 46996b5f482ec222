"""What the users send by default brings predictions of every kind of model, whatever form its data has.

No load: where to and in which form follow from the kind of model and the name of its data, and the one answer
before the load is judged as in a study.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sweeper.checks.answers import no_predictions
from sweeper.load.first_answer import first_answer
from sweeper.settings.upload import upload_of
from tests.support.code_folders import rows
from tests.support.kinds import KINDS, Kind
from tests.support.server_process import running, until

MATRIX = b"%%MatrixMarket matrix coordinate real general\n2 3 2\n1 1 1.5\n2 3 2.5\n"


def arrow() -> bytes:
    table = pa.Table.from_pandas(rows(), preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


CSV = rows().to_csv(index=False).encode()
CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
PROMPTS = b"promptText\nhello there\nyou too\n"
READS_ARROW = """
import io
import pandas as pd
import pyarrow as pa

def load_model(code_dir):
    return 1

def read_input_data(input_binary_data):
    return pa.ipc.open_file(io.BytesIO(input_binary_data)).read_pandas()

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"]})
"""
"""DRUM 1.18.1 has no reader for arrow, but gives the model's own hook the bytes."""
ARROW = Kind("regression", None, READS_ARROW, [])
DATA = {
    "arrow": {"rows.arrow": arrow()},
    "regression": {"rows.csv": CSV, "rows.mtx": MATRIX, "rows": CSV},
    "binary": {"rows.csv": CSV},
    "multiclass": {"rows.csv": CSV},
    "multilabel": {"rows.csv": CSV},
    "anomaly": {"rows.csv": CSV},
    "transform": {"rows.csv": CSV},
    "unstructured": {"ask.json": b'{"a": 1}', "text.txt": b"some text", "image.png": b"\x89PNG\x00"},
    "textgeneration": {"prompts.csv": PROMPTS, "chat.json": CHAT},
    "agenticworkflow": {"prompts.csv": PROMPTS, "chat.json": CHAT},
    "geopoint": {"rows.csv": b"a,b\nx,1\ny,2\n"},
    "vectordatabase": {"rows.csv": b"a,b\nx,1\ny,2\n"},
}


@pytest.mark.parametrize("name", DATA)
def test_one_upload_of_each_form_of_data_brings_predictions(name: str, tmp_path: Path) -> None:
    kind = ARROW if name == "arrow" else KINDS[name]
    code = kind.make(tmp_path / "code")
    with running(code, 0, "--target-type", kind.target_type, *kind.options, **kind.variables) as server:
        until(server.port)
        for file_name, content in DATA[name].items():
            path = tmp_path / file_name
            path.write_bytes(content)
            upload = upload_of(kind.target_type, file_name)
            answer = first_answer(f"http://127.0.0.1:{server.port()}", path, 20.0, upload)
            found = no_predictions(answer, True)
            assert found is None, f"{file_name}: {found.message if found else ''}"

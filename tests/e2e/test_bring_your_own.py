"""What a user brings and what does not fit together is named before there is any load."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from tests.e2e.commands import left_behind, sweeper, truth

pytestmark = pytest.mark.e2e


def test_a_locust_file_that_needs_another_folder(folder: Path) -> None:
    (folder / "load").mkdir()
    (folder / "load" / "mine.py").write_text(
        "from locust import HttpUser\nROWS = open('sample.csv').read()\nclass Mine(HttpUser): pass\n"
    )
    done = sweeper("grid", *truth(), "--workers", "2,8", "--locustfile", "load/mine.py", cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert "load/mine.py' does not work: FileNotFoundError" in done.err
    assert "'sample.csv'; paths in it count from the folder where sweeper is run" in done.err
    assert done.err.count("\n") == 1
    assert list((folder / "studies").glob("*/runs/*")) == []


def test_data_that_the_model_does_not_take(folder: Path) -> None:
    """Each value's server is asked once, and no load is put on any of them."""
    columns = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    (folder / "code").mkdir()
    (folder / "code" / "model.pkl").write_bytes(pickle.dumps(LinearRegression().fit(columns, [1.0, 2.0])))
    (folder / "other.csv").write_text("c\n1\n")
    done = sweeper(
        "grid", "--code-dir", "code", "--data", "other.csv", "--workers", "2,8", "--json", cwd=folder
    )
    assert (done.code, done.json["workers"]) == (1, None), done.err
    assert "one upload of the data (1 row) to the idle server brought status 422" in done.json["reason"]
    assert "give --data a CSV that the model takes" in done.json["reason"]
    logs = [path.name for path in folder.glob("studies/*/runs/*/*")]
    assert logs.count("server.log") == 2
    assert "load.log" not in logs
    assert left_behind(str(folder)) == []


PAGES = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/up" else 404)
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(301)
        self.send_header("Location", "/new/")
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def test_any_server_with_any_ready_path_that_has_moved(folder: Path) -> None:
    (folder / "pages.py").write_text(PAGES)
    done = sweeper(
        "grid", "--launcher", "command", "--server-command", f"{sys.executable} pages.py {{port}}",
        "--ready-path", "/up", "--data", "rows.csv", "--workers", "2,8", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 1
    assert "brought status 301 to /new/" in done.json["reason"]
    assert "redirects are not followed" in done.json["reason"]

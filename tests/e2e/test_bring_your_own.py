"""What a user brings and what does not fit together is named before there is any load."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from tests.support.commands import ALONE, left_behind, sweeper, truth

pytestmark = pytest.mark.e2e


def test_a_locust_file_that_needs_another_folder(folder: Path) -> None:
    (folder / "load").mkdir()
    (folder / "load" / "mine.py").write_text(
        "from locust import HttpUser\nROWS = open('sample.csv').read()\nclass Mine(HttpUser): pass\n"
    )
    done = sweeper("grid", *truth(), "--workers", "2,8", "--locustfile", "load/mine.py", cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert "load/mine.py' does not work: FileNotFoundError" in done.err
    assert "'sample.csv'; paths in it are relative to the folder where you run sweeper" in done.err
    assert done.err.count("\n") == 1
    assert list((folder / "studies").glob("*/runs/*")) == []


def test_data_that_the_model_does_not_take(folder: Path) -> None:
    """Each value's server is asked once, and no load is put on any of them."""
    columns = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    (folder / "code").mkdir()
    (folder / "code" / "model.pkl").write_bytes(pickle.dumps(LinearRegression().fit(columns, [1.0, 2.0])))
    (folder / "other.csv").write_text("c\n1\n")
    done = sweeper(
        "grid", "--code-dir", "code", "--target-type", "regression", "--data", "other.csv",
        "--workers", "2,8", "--json", cwd=folder,
    )  # fmt: skip
    assert (done.code, done.json["workers"]) == (1, None), done.err
    assert "one upload of the data (1 row) to the idle server brought status 500" in done.json["reason"]
    assert "see the run's server.log for what failed" in done.json["reason"]
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


TENANTS = """
import http.server, sys, threading, time
pool = threading.Semaphore(int(sys.argv[2]))
class Tenants(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/api/v1/predict/" and self.headers["X-Tenant"] == "acme & sons"
        if known:
            with pool:
                time.sleep(0.05)
        self.answer(200 if known else 404)
    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_): pass
class Many(http.server.ThreadingHTTPServer):
    request_queue_size = 100
Many(("127.0.0.1", int(sys.argv[1])), Tenants).serve_forever()
"""
TENANT_USERS = """
from locust import FastHttpUser, constant, events, task

@events.init_command_line_parser.add_listener
def options(parser):
    parser.add_argument("--tenant", required=True)

class Tenant(FastHttpUser):
    host = "https://models.example.org/api/v1/"
    wait_time = constant(0.05)
    @task
    def predict(self):
        tenant = self.environment.parsed_options.tenant
        self.client.post("/predict/", data=b"{}", headers={"X-Tenant": tenant})
"""


def test_a_locust_file_with_options_of_its_own_and_a_host_with_a_path(folder: Path) -> None:
    (folder / "tenants.py").write_text(TENANTS)
    (folder / "load.py").write_text(TENANT_USERS)
    command = f"{sys.executable} tenants.py {{port}} {{workers}}"
    given = (
        "grid", "--launcher", "command", "--server-command", command, "--locustfile", "load.py",
        "--workers", "1,4", *ALONE, "--users", "20", "--min-blocks", "3", "--max-blocks", "6",
        "--study", "mine", "--json",
    )  # fmt: skip
    without = sweeper(*given, cwd=folder)
    assert (without.code, without.out) == (2, "")
    assert "arguments are required: --tenant; give them with --locust-options" in without.err
    done = sweeper(*given, "--locust-options", "--tenant 'acme & sons'", cwd=folder)
    assert left_behind(str(folder)) == []
    assert (done.code, done.json["status"], done.json["workers"]) == (0, "recommended", 4), done.err
    assert {candidate["error_rate"] for candidate in done.json["candidates"]} == {0.0}
    again = sweeper(*given, "--locust-options", "--tenant other", cwd=folder)
    assert again.code == 2 and "locust_options is --tenant" in again.err


def test_where_every_request_fails_that_comes_first_and_nobody_is_told_to_take_more_users(
    folder: Path,
) -> None:
    (folder / "tenants.py").write_text(TENANTS)
    (folder / "load.py").write_text(TENANT_USERS)
    command = f"{sys.executable} tenants.py {{port}} {{workers}}"
    done = sweeper(
        "grid", "--launcher", "command", "--server-command", command, "--locustfile", "load.py",
        "--locust-options", "--tenant nobody", "--workers", "1,4", *ALONE, "--users", "20",
        "--min-blocks", "2", "--max-blocks", "2", "--study", "none", "--json", cwd=folder,
    )  # fmt: skip
    assert done.code == 1, done.err
    assert "100.0% of the requests failed, mostly with status 404" in done.json["reason"] or (
        done.json["status"] == "infeasible"
    )
    codes = [finding["code"] for finding in done.json["findings"] if finding["code"] != "shared-cores"]
    assert codes[0] == "errors" and "user-limited" not in codes

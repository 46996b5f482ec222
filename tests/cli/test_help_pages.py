"""`sweeper help` shows the pages of the documentation."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from sweeper.cli.help import LIST, for_terminal, pages, text_of, with_page
from sweeper.cli.main import main
from sweeper.errors import (
    ClaimLostError,
    LoadError,
    PoolNotAppliedError,
    ServerStartError,
    StoreError,
    SweeperError,
    UsageError,
)
from sweeper.records.finding import FindingCode


def test_without_a_topic_it_lists_the_pages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"/{name}.md)" in shown or f"({name}.md)" in shown for name in pages() if name != LIST)


@pytest.mark.parametrize("topic", ["tutorial", "how-to/own-load.md", "own-load", "GRID"])
def test_a_topic_is_a_page(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", topic]) == 0
    assert capsys.readouterr().out.startswith("# ")


@pytest.mark.parametrize("code", FindingCode)
def test_a_topic_is_the_code_of_a_finding(code: FindingCode) -> None:
    shown = text_of(code.value)
    assert shown.startswith(f"# {code.value}\n")
    assert shown.count("**Means:**") == 1 and "\n## " not in shown


def test_an_unknown_topic_is_wrong_use_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "tutorail"]) == 2
    said = "there is no page 'tutorail'; did you mean tutorial? See sweeper help for the list of pages"
    assert capsys.readouterr().err == f"sweeper: {said}\n"


def test_an_error_names_the_page_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "--users", "none"]) == 2
    assert capsys.readouterr().err.endswith("; see sweeper help grid\n")


@pytest.mark.parametrize(
    "kind", [ServerStartError, LoadError, StoreError, ClaimLostError, PoolNotAppliedError]
)
def test_an_error_with_a_page_of_its_own_names_that(kind: type[SweeperError]) -> None:
    assert text_of(kind.topic).startswith("# ")
    said = with_page(kind("this went wrong."), ["grid"])
    assert said == f"this went wrong; see sweeper help {kind.topic}"


def test_an_error_that_asks_goes_on_with_a_sentence() -> None:
    assert with_page(UsageError("did you mean a?"), ["grid"]) == "did you mean a? See sweeper help grid"
    assert with_page(UsageError("no page"), ["help"]) == "no page"
    assert with_page(UsageError("no command"), []) == "no command"


def test_links_become_commands_and_pictures_go() -> None:
    page = (
        "![a picture](a.png)\nSee [turns](../method/turns.md), [gated](findings.md#gated), "
        "[how\nit goes](runs.md#checks) and [Python](https://python.org/a.md)."
    )
    assert for_terminal(page) == (
        "See turns (`sweeper help turns`), gated (`sweeper help gated`), how\nit goes (`sweeper help runs`) "
        "and [Python](https://python.org/a.md)."
    )


def test_on_a_terminal_it_is_rendered() -> None:
    """With the real program on a real terminal, as wide as that says."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    command = [sys.executable, "-m", "sweeper", "help", "gated"]
    with subprocess.Popen(command, stdout=follower, env=environment):
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(leader)
    lines = shown.decode("utf-8").splitlines()
    assert "**" not in shown.decode("utf-8") and "DRUM_MAX_CONCURRENT_REQUESTS" in shown.decode("utf-8")
    assert len(lines) > 5

"""Where things of the tests are: a folder of tests for each folder of the package, and helpers in support."""

from __future__ import annotations

import re
from pathlib import Path

from tests import support

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "sweeper"
ACROSS = {"e2e", "faults", "simulation", "support"}
"""Folders of tests of more than one folder."""
PROGRAMS = {"bench", "real"}
"""Folders of programs that are started by hand: `python -m tests.bench`, `python -m tests.real`."""


def is_test(path: Path) -> bool:
    return path.name.startswith("test_") or path.name == "conftest.py"


def test_no_test_imports_another_test() -> None:
    """Nor does a helper, nor a program that a test writes."""
    found = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("*.py")
        if re.search(r"^\s*(from|import) tests\b.*\b(test_|conftest)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert found == set()


def test_what_is_no_test_is_in_support() -> None:
    others = {path.relative_to(TESTS) for path in TESTS.rglob("*.py") if not is_test(path)}
    elsewhere = {path for path in others if path.parts[0] not in {"support", *PROGRAMS}}
    assert elsewhere == {Path("__init__.py")}


def test_support_says_what_is_where() -> None:
    words = set(re.findall(r"\w+", support.__doc__ or ""))
    names = {path.stem for path in (TESTS / "support").iterdir() if not path.name.startswith("_")}
    assert names <= words


def test_the_folders_are_those_of_the_package() -> None:
    folders = {path.parent.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    assert folders <= {path.name for path in PACKAGE.iterdir()} | ACROSS | PROGRAMS

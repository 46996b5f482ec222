"""Reads source text for what a finding may be made of, and for the faults that are injected for real."""

from __future__ import annotations

import ast
from collections.abc import Collection

NOT_MADE_BUT_PASSED_ON = {
    "_failure": "run.py: what it is called with is looked at instead",
    "of_runs": "the findings of runs, told of a study",
    "findings_from_json": "from the database, perhaps of another version",
    "_finding": "from a file, perhaps of another version",
}
"""Functions that may say `Finding(code, …)`, and what they pass on."""
MAKERS = ("Finding", "_failure")


def made_of_something_else(source: str) -> list[str]:
    """The calls that make a finding and whose code is not written as `FindingCode.NAME`."""
    tree = ast.parse(source)
    passed_on = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name in NOT_MADE_BUT_PASSED_ON
        for node in ast.walk(function)
    }
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _called(node) in MAKERS
        and id(node) not in passed_on
        and not _is_member(_code_of(node))
    ]


def _called(call: ast.Call) -> str:
    """`Finding` of `Finding(…)` and of `finding.Finding(…)`."""
    return getattr(call.func, "id", None) or getattr(call.func, "attr", "")


def _code_of(call: ast.Call) -> ast.expr | None:
    return call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "code"), None)


def _is_member(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "FindingCode"


def members_named(source: str) -> set[str]:
    """The names of the members of FindingCode in a text."""
    return {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and _is_member(node)
    }


def codes_with_a_test(source: str) -> set[str]:
    """The codes of `test_CODE` and `test_CODE__HOW`."""
    names = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return {
        name.removeprefix("test_").partition("__")[0].replace("_", "-")
        for name in names
        if name.startswith("test_") and name != "test_without_a_fault"
    }


def amiss(
    codes: Collection[str], alone: Collection[str], real: Collection[str], only_simulated: Collection[str]
) -> list[str]:
    """What is wrong with the faults of these codes, in words; nothing where each code has its own."""
    found = [f"{code} has no fault in tests/support/faults.py" for code in codes if code not in alone]
    found += [
        f"{code} is neither injected for real nor has a reason why not"
        for code in codes
        if code not in real and code not in only_simulated
    ]
    found += [
        f"{code} is injected for real, and has a reason why not" for code in real if code in only_simulated
    ]
    return found + [f"{code} is no code" for code in {*alone, *real, *only_simulated} if code not in codes]

"""No code without a fault: the codes are read from the source, so that a new one cannot be forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sweeper
from sweeper.findings import FAILING, SUSPICIOUS
from tests.faults import test_real
from tests.faults.test_alone import RUN_FAULTS, STUDY_FAULTS

SOURCE = Path(sweeper.__file__).parent
MAKERS = {"Finding", "_failure", "_RunFailed"}
# Where a code is passed on and not made: the functions that may say `Finding(code, …)`.
PASS_ON = {"_failure", "of_runs", "run_in_steps", "_measure", "_finding", "findings_from_json"}

# Faults that test_real.py does not inject, and why.
ONLY_SIMULATED = {
    "falling-behind": "a confirmation, which tests/e2e/test_confirm.py makes for real",
    "not-confirmed": "it says what was not done; nothing goes wrong in a run",
    "drift": "MSER-5 takes a change of speed without noise for a warm-up, and real noise is not repeatable",
    "pressure": "burning the cores of a machine that others use makes their measurements wrong",
    "steal": "only the hypervisor can take time from a virtual machine",
    "gil-bound": "a whole study, and a server whose Python threads contend as badly on every machine",
    "oversubscribed": "a whole study, and cores that nobody else uses",
    "several-hosts": "it says who made the runs; tests/e2e/test_hosts.py has three hosts",
    "sentinel": "a whole study, and a machine that changes in one block only",
    "shared-cores": "it says how cores are placed; nothing has to go wrong",
}


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call that makes a finding, with the function it stands in."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                    yield function.name, node


def codes_in_source() -> set[str]:
    codes = set(FAILING | SUSPICIOUS)
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(), str(path))
        for function, call in calls(tree):
            code = call.args[0] if call.args else next(k.value for k in call.keywords if k.arg == "code")
            if isinstance(code, ast.Constant):
                codes.add(code.value)
            else:
                assert function in PASS_ON, f"{path.name}: {function} makes a finding without a literal code"
    return codes


def test_the_source_is_read_right() -> None:
    codes = codes_in_source()
    assert {"server-did-not-start", "stalled", "thread-leak", "sentinel", "user-limited"} <= codes
    assert all(code == code.lower() and " " not in code for code in codes)


def test_every_code_has_a_fault_and_every_fault_a_code() -> None:
    assert set(RUN_FAULTS) | set(STUDY_FAULTS) == codes_in_source()


def test_every_code_is_injected_for_real_or_says_why_not() -> None:
    real = {
        name.removeprefix("test_").partition("__")[0].replace("_", "-")
        for name in vars(test_real)
        if name.startswith("test_")
    }
    assert real - {"without-a-fault"} | set(ONLY_SIMULATED) == codes_in_source()
    assert not real & set(ONLY_SIMULATED)

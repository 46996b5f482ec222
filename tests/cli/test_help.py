"""The options of grid, optimize and scenarios are those of their settings, and help is quick."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from sweeper.cli.main import app, main
from sweeper.cli.options import OF_A_STUDY
from sweeper.settings.combine import flag
from sweeper.settings.command_settings import ARGUMENTS, COMMANDS, options, setting_names


@pytest.mark.parametrize("command", COMMANDS)
def test_every_setting_is_an_option_and_shows_what_it_is_without(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main([command, "--help"]) == 0
    shown = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith("│")}
    for name, option in options(command).items():
        line = shown[option.argument or flag(name)]
        assert option.help in line
        assert (f"[default: ({option.default})]" in line) == (option.default not in ("", "off"))


def test_defaults_are_in_the_notation_of_the_settings() -> None:
    seen = {
        command: {name: option.default for name, option in options(command).items()} for command in COMMANDS
    }
    assert (seen["grid"]["window"], seen["grid"]["workers"], seen["grid"]["tolerance"]) == (
        "10s",
        "1,4,8,16,32",
        "0.05",
    )
    assert (seen["optimize"]["workers"], seen["optimize"]["trials"]) == ("1..64", "20, or all there are")
    assert (seen["grid"]["max_blocks"], seen["scenarios"]["max_blocks"]) == ("14", "5")
    assert seen["grid"]["confirm"] == "on, except with --quick"
    assert seen["grid"]["interleave"].startswith("on, unless a trial")


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_else_is_an_option(command: str) -> None:
    called = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    known = {
        parameter.name
        for parameter in called.make_context(command, [], resilient_parsing=True).command.params
    }
    assert known - set(OF_A_STUDY) == set(setting_names(command))
    assert set(ARGUMENTS) <= set(setting_names("scenarios"))


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_what_is_asked_first_needs_nothing_slow(argument: str) -> None:
    slow = ("numpy", "pandas", "pydantic", "scipy", "sqlalchemy", "optuna", "sweeper.study", "sweeper.store")
    code = (
        "import sys\nfrom sweeper.cli.main import main\n"
        f"assert main([{argument!r}]) == 0\n"
        f"sys.stderr.write(' '.join(name for name in {slow!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

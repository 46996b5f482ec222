"""`podman run` and `docker run` as a server command: what is added to it, and what is refused."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from sweeper.errors import UsageError
from sweeper.launch import CommandLauncher, LaunchOptions
from sweeper.launch.container_command import container_command
from sweeper.processes.resource_limits import LimitedGroups, ResourceLimits

ENGINE = '#!/bin/sh\n[ "$WORKS" = 1 ] && exit 0\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n'


@pytest.fixture
def engines(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with an engine that lists no containers if WORKS=1, and else complains."""
    for name in ("podman", "docker"):
        (tmp_path / name).write_text(ENGINE)
        (tmp_path / name).chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("line", "engine"),
    [
        ("docker run -p 1:8080 image run", "docker"),
        ("/usr/bin/podman --runtime runc run --rm image", "/usr/bin/podman --runtime runc"),
        ("sudo -n docker container run image", "sudo -n docker"),
        ("env A=b podman run image", "env A=b podman"),
        ("docker compose run server", None),
        ("docker exec abc run", None),
        ("podman start run", None),
        ("python -m server run", None),
        ("sh -c 'podman run image'", None),
    ],
)
def test_which_commands_start_a_container(line: str, engine: str | None) -> None:
    found = container_command(shlex.split(line))
    assert (shlex.join(found.engine) if found else None) == engine


def test_what_is_set_for_a_server_comes_before_the_users_options() -> None:
    command = container_command(shlex.split("docker run --env A=mine -p 1:8080 image --workers 3"))
    assert command is not None
    argv, starts = command.start(
        {"B": "2", "A": "1"}, {"PATH": "/bin"}, frozenset({2, 0, 1}), ResourceLimits(1.5, 2 << 30)
    )
    added = ["--label", f"sweeper.server={starts.label}", "--cpuset-cpus", "0-2", "--cpus", "1.5"]
    added += ["--memory", "2147483648", "--memory-swap", "2147483648", "--env", "A=1", "--env", "B=2"]
    rest = ["--env", "A=mine", "-p", "1:8080", "image", "--workers", "3"]
    assert argv == ["docker", "run", *added, *rest]
    assert starts.engine.env == {"PATH": "/bin"}
    assert command.start({}, {})[1].label != starts.label


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-d", "leave out --detach"),
        ("--rm -itd --cpus 2", "leave out --detach"),
        ("--cpus 2 --detach=true", "leave out --detach"),
        ("-dp {port}:8080", "leave out --detach"),
        ("--name server", "--name server is the same for every run"),
        ("--name=server", "--name server is the same for every run"),
    ],
)
def test_what_no_study_can_be_made_with(options: str, words: str, engines: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=words):
        launcher(f"docker run {options} -p {{port}}:8080 image", engines)


@pytest.mark.parametrize("options", ["--name s{port}", "--rm -it", "--detach=false", "--cpus 2"])
def test_what_is_left_to_the_engine(options: str, engines: dict[str, str]) -> None:
    for engine in ("docker", "podman"):
        launcher(f"{engine} run {options} -p {{port}}:8080 image -d --name x", engines | {"WORKS": "1"})


def test_an_engine_that_does_not_answer(engines: dict[str, str]) -> None:
    expected = r"docker does not answer \(Cannot connect to the Docker daemon\): docker ps must work here"
    with pytest.raises(UsageError, match=expected):
        launcher("docker run -p {port}:8080 image", engines)


@pytest.mark.parametrize("option", ["--cpus 2", "--cpus=2", "-m 1g", "--memory 1g"])
def test_a_limit_that_is_set_twice(option: str, engines: dict[str, str]) -> None:
    groups = LimitedGroups(ResourceLimits(1.5, 1 << 30), "systemd-run")
    with pytest.raises(UsageError, match=r"sweeper is given --cpu-limit 1.5 --memory-limit .*: leave one"):
        launcher(f"docker run {option} -p {{port}}:8080 image", engines | {"WORKS": "1"}, groups=groups)


def launcher(command: str, environ: dict[str, str], **options: object) -> CommandLauncher:
    return CommandLauncher(command, options=LaunchOptions(environ=environ, **options))

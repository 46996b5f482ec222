"""A server command that runs a container: `podman run ...` or `docker run ...`, perhaps behind sudo or env.

What sweeper sets for a server does not get into a container by itself, so that it is added to the options of
`run`, before those of the user, which hold where both say something.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.errors import UsageError
from sweeper.processes.container import LABEL, Engine, StartsContainer
from sweeper.processes.resource_limits import ResourceLimits
from sweeper.settings.notation import format_cpu_list

NO_LIMITS = ResourceLimits()
ENGINES = ("podman", "docker")
_OTHER_COMMANDS = {"compose", "exec", "start", "pod", "buildx"}
# Options of `run` that take no value; every other one takes the next argument, unless it has a "=".
_PLAIN_OPTIONS = {
    "--detach", "--disable-content-trust", "--help", "--init", "--interactive", "--no-healthcheck",
    "--no-hostname", "--no-hosts", "--oom-kill-disable", "--privileged", "--publish-all", "--quiet",
    "--read-only", "--read-only-tmpfs", "--replace", "--rm", "--rmi", "--rootfs", "--sig-proxy",
    "--tls-verify", "--tty", "--unsetenv-all", "--use-api-socket",
}  # fmt: skip
_PLAIN_LETTERS = set("diPqt")


@dataclass(frozen=True, slots=True)
class ContainerCommand:
    """The arguments in three parts."""

    engine: tuple[str, ...]
    """Up to `run`."""
    run: tuple[str, ...]
    """`run`, or `container run`."""
    rest: tuple[str, ...]
    """Its options, the image and what runs in it."""

    @property
    def program(self) -> str:
        return next(os.path.basename(word) for word in self.engine if os.path.basename(word) in ENGINES)  # noqa: PTH119

    def check(self, environ: Mapping[str, str], limits: ResourceLimits) -> None:
        """Raises UsageError if no study is possible with it: the engine does not answer, a limit is set
        twice, the container would outlive its command, or its name is the same for every run."""
        options = self._options()
        if "--detach" in options:
            raise UsageError(
                f"--server-command: {self.program} run --detach ends at once, so that sweeper would not see "
                "the end of the server: leave out --detach (-d)"
            )
        for name in ("--name", "--cidfile"):
            if name in options and "{port}" not in options[name]:
                raise UsageError(
                    f"--server-command: {name} {options[name]} is the same for every run, and several "
                    "runs exist at the same time: leave it out, or put {port} in it"
                )
        for name, given in (("--cpus", limits.cpu_cores), ("--memory", limits.memory_bytes)):
            if given is not None and (name in options or (name == "--memory" and "-m" in options)):
                raise UsageError(
                    f"--server-command has {name}, and sweeper is given {limits.options}: leave one out"
                )
        answer = Engine(self.engine, environ).ask("ps", "--quiet")
        if answer is None or answer.returncode != 0:
            words = answer.stderr.strip().splitlines() if answer is not None else []
            raise UsageError(
                f"--server-command: {self.program} does not answer "
                f"({words[-1] if words else 'no answer in time'}): {self.program} ps must work here"
            )

    def start(
        self,
        env: Mapping[str, str],
        inherited: Mapping[str, str],
        cpus: frozenset[int] | None = None,
        limits: ResourceLimits = NO_LIMITS,
    ) -> tuple[list[str], StartsContainer]:
        """The command line of a container that has `env`, may use `cpus` (None: all) and has `limits`, and by
        what it is found. The engine itself gets the `inherited` environment."""
        label = uuid.uuid4().hex
        added = ["--label", f"{LABEL}={label}"]
        if cpus is not None:
            added += ["--cpuset-cpus", format_cpu_list(cpus)]
        if limits.cpu_cores is not None:
            added += ["--cpus", f"{limits.cpu_cores:g}"]
        if limits.memory_bytes is not None:  # without swap, as outside of a container
            added += ["--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes)]
        for name, value in sorted(env.items()):
            added += ["--env", f"{name}={value}"]
        argv = [*self.engine, *self.run, *added, *self.rest]
        return argv, StartsContainer(Engine(self.engine, inherited), label)

    def _options(self) -> dict[str, str]:
        """Those before the image, by name; those without a value have an empty one."""
        found: dict[str, str] = {}
        words = list(self.rest)
        while words and words[0].startswith("-"):
            name, has_value, value = words.pop(0).partition("=")
            letters = set(name[1:]) if not name.startswith("--") else set()
            if letters and letters <= _PLAIN_LETTERS | {"p"} and "d" in letters:
                found["--detach"] = ""
            if has_value or name in _PLAIN_OPTIONS or (letters and letters <= _PLAIN_LETTERS):
                if not (name == "--detach" and value == "false"):
                    found[name] = value
            else:
                found[name] = words.pop(0) if words else ""
        return found


def container_command(arguments: Sequence[str]) -> ContainerCommand | None:
    """None where the arguments start no container, or one that nobody can find in them (such as a script)."""
    for at, word in enumerate(arguments):
        if os.path.basename(word) not in ENGINES:  # noqa: PTH119
            continue
        after = list(arguments[at + 1 :])
        if "run" not in after or set(after[: after.index("run")]) & _OTHER_COMMANDS:
            return None
        run = at + 1 + after.index("run")
        begin = run - 1 if arguments[run - 1] == "container" else run
        return ContainerCommand(
            tuple(arguments[:begin]), tuple(arguments[begin : run + 1]), tuple(arguments[run + 1 :])
        )
    return None

"""What differs between the environments of two studies, or between what they were started with, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SOFTWARE = ("python", "packages", "hashes", "variables", "git_commit")
"""Facts of what was measured and with what. All others are of the machine, and with another machine raw
figures cannot be compared."""
UNIMPORTANT = frozenset(
    {
        "command", "workers", "model_threads", "processes", "tune", "trials", "seed", "min_blocks",
        "max_blocks", "quick", "confirm", "search_window", "start_timeout", "data", "locustfile", "model",
        "code_dir", "load_master_bind", "restore_command", "restart_time",
        "cost_per_hour", "plan_for",
    }
)  # fmt: skip
"""Settings that change how long or in which order is measured, or that show elsewhere: in the configurations,
and in the hashes of model, data and locust file."""
LOAD = frozenset({"users", "rate", "hashes.data", "hashes.locustfile"})
"""What makes the requests: figures under another load are figures of something else."""


OF_THE_DATA = frozenset({"data_rows"})
"""What follows from the data, whose hash is compared; studies of earlier versions lack it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not the same in both."""

    name: str  # dotted: `packages.numpy`
    a: object  # None: not known
    b: object  # None: not known

    @property
    def of_the_machine(self) -> bool:
        return self.name.partition(".")[0] not in SOFTWARE

    def sentence(self, template: str) -> str:
        """`template` with {name}, {a} and {b}; long values (hashes) are cut."""
        return template.format(name=self.name, a=_short(self.a), b=_short(self.b))


def differences(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[Difference, ...]:
    """By name; what is in groups is compared fact by fact."""
    first, second = (_flat({k: v for k, v in one.items() if k not in OF_THE_DATA}) for one in (a, b))
    return tuple(
        Difference(name, first.get(name), second.get(name))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    )


def settings_that_matter(settings: Mapping[str, object], subject: str) -> dict[str, object]:
    """Of a study's settings those that decide what its figures mean; `measured` is what was."""
    return {"measured": subject} | {k: v for k, v in settings.items() if k not in UNIMPORTANT}


def _flat(value: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat.update(_flat(item, f"{prefix}{name}."))
        else:
            flat[prefix + name] = list(item) if isinstance(item, tuple) else item
    return flat


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) < 40 else text[:12] + "…"

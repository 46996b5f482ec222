"""Where it was measured, and how to measure it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w

from sweeper.report.html.material import AnyMaterial
from sweeper.report.html.parts import Code, Folded, Part, Section, Table, Text, listed

SCALES = {"memory_bytes": "memory", "memory_limit_bytes": "memory limit"}
TABLES = ("hashes", "variables", "placement")
APART = ("packages", *TABLES)


def environment(material: AnyMaterial) -> Section:
    parts: list[Part] = [
        Code(material.repeat, "To repeat the study under a new name"),
        Text(
            f"Begun {_moment(material.created_at)}, reported {_moment(material.made_at)} by sweeper "
            f"{material.version}.",
            "note",
        ),
    ]
    for host, found in material.environments.items():
        if host:
            parts.append(Text(f"Host {host}:"))
        parts.append(_machine(found, host))
        packages = found.get("packages")
        if isinstance(packages, Mapping) and packages:
            rows = [(str(name), str(version)) for name, version in packages.items()]
            parts.append(
                Folded(
                    "Packages" + (f" on {host}" if host else ""),
                    (listed(f"packages-{host}", rows, ("package", "version")),),
                )
            )
    parts.append(Folded("Settings", (Code(tomli_w.dumps(dict(material.settings)).strip(), "study.toml"),)))
    return Section("environment", "Environment", "The environment, and how to repeat it", tuple(parts))


def _machine(found: Mapping[str, Any], host: str) -> Table:
    rows = [(_name(key), _value(key, value)) for key, value in found.items() if key not in APART]
    for key in TABLES:
        part = found.get(key)
        if isinstance(part, Mapping):
            rows += [
                (f"{key}: {name if key == 'variables' else _name(name)}", _value(name, value))
                for name, value in part.items()
            ]
    return listed(f"machine-{host}", rows, ("what", "value"))


def _name(key: str) -> str:
    return SCALES.get(key, str(key)).replace("_", " ")


def _value(key: str, value: Any) -> str:
    if value is None:
        return "not set or unavailable"
    if key in SCALES and isinstance(value, int | float):
        return f"{value / 1e9:.1f} GB"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _moment(text: str) -> str:
    return f"{text.replace('T', ' ').removesuffix('Z')} UTC"

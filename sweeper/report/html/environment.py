"""Where the study was measured, and how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w

from sweeper.report.html.elements import Code, Element, Folded, Section, Table, Text, listed
from sweeper.report.html.page_data import PageData

SCALES = {"memory_bytes": "memory", "memory_limit_bytes": "memory limit"}
TABLES = ("hashes", "variables", "placement", "server_limits", "remote")
APART = ("packages", *TABLES)


def environment(data: PageData) -> Section:
    parts: list[Element] = [
        Code(data.repeat, "To repeat the study under a new name"),
        Text(
            f"Begun {_moment(data.created_at)}, reported {_moment(data.made_at)} by sweeper {data.version}.",
            "note",
        ),
    ]
    for host, found in data.environments.items():
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
    parts.append(Folded("Settings", (Code(tomli_w.dumps(dict(data.settings)).strip(), "study.toml"),)))
    return Section("environment", "Environment", "The environment, and how to repeat it", tuple(parts))


def _machine(found: Mapping[str, Any], host: str) -> Table:
    rows = [(_name(key), _fact(key, value)) for key, value in found.items() if key not in APART]
    for key in TABLES:
        part = found.get(key)
        if isinstance(part, Mapping):
            rows += [
                (f"{key}: {name if key == 'variables' else _name(name)}", _fact(name, value))
                for name, value in part.items()
            ]
    return listed(f"machine-{host}", rows, ("what", "value"))


def _name(key: str) -> str:
    return SCALES.get(key, str(key)).replace("_", " ")


def _fact(key: str, value: Any) -> str:
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

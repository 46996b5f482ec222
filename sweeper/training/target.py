"""May a model be put there? Everything that can be known to be wrong before the first byte is written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sweeper.errors import UsageError
from sweeper.training.model_folder import BYPRODUCTS, OUR_FILES, RECORD, is_ours
from sweeper.training.spec import ModelSpec

# Seen: 36 bytes a node for XGBoost, 72 for a forest, both fully grown.
NODE_BYTES = 80
BASE_BYTES = 20_000_000


def resolve_target(out: Path) -> Path:
    """The real folder behind `out`, links followed; raises UsageError for a path that cannot be one."""
    try:
        return out.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a circle
        raise UsageError(f"{str(out)!r} cannot be a model's folder: {error}") from None


def check_target(spec: ModelSpec, out: Path) -> None:
    """Raises UsageError unless `out` is new, empty or a model of ours alone, with room and leave to write."""
    try:
        check_place(out)
        _check_parent(spec, out)
    except OSError as error:
        raise UsageError(f"{out} cannot be a model's folder: {error.strerror}") from None


def check_place(out: Path) -> None:
    """The part of `check_target` that others can change while a model is trained."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file, and a model needs a folder: choose another --out")
    names = {path.name for path in out.iterdir()} - BYPRODUCTS
    if not names:
        return
    if not is_ours(out):
        raise UsageError(
            f"{out} has files in it but no {RECORD} of `sweeper train`: choose another --out or empty it"
        )
    strangers = sorted(names - OUR_FILES)
    if strangers:
        raise UsageError(
            f"training again would delete {', '.join(strangers)} in {out}: move that away "
            "or choose another --out"
        )


def _check_parent(spec: ModelSpec, out: Path) -> None:
    parent = out.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(f"{out} cannot be made: {parent} is a file, not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"{out} cannot be made: no permission to write in {parent}")
    needed = needed_bytes(spec)
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise UsageError(
            f"{out} needs up to {needed / 1e6:.0f} MB of disk, and {parent} has {free / 1e6:.0f} MB free: "
            "make room, or train fewer trees"
        )


def needed_bytes(spec: ModelSpec) -> int:
    """An upper bound of the artifact's size: no tree has more nodes than its depth and its rows allow."""
    if spec.trees is None or spec.depth is None:
        return BASE_BYTES
    nodes_per_tree = min(1 << (spec.depth + 1), 2 * spec.rows)
    return BASE_BYTES + spec.trees * NODE_BYTES * nodes_per_tree

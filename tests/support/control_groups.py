"""Real control groups of this machine, for tests that need the kernel to keep a limit."""

from __future__ import annotations

from pathlib import Path

from sweeper.processes.control_group import PROC, group_levels


def groups_of(pid: int) -> list[Path]:
    """Its folders of the controllers that a quota is kept and counted by."""
    found = [group_levels(PROC, pid, controller)[1] for controller in ("cpu", "cpuacct")]
    return list(dict.fromkeys(levels[0] for levels in found if levels))


def count_cpu(pid: int) -> list[Path]:
    """If cgroup v1 counts CPU in its own hierarchy, put the process into a group there, with the same path
    as its quota's group, as container runtimes do. Returns the folders made, in the order to remove them."""
    version, levels = group_levels(PROC, pid, "cpu")
    _, accounts = group_levels(PROC, pid, "cpuacct")
    if version == 2 or not accounts or accounts[0].name == levels[0].name:
        return []
    made, folder = [], accounts[-1]
    for level in reversed(levels[:-1]):
        folder /= level.name
        if not folder.exists():
            folder.mkdir()
            made.insert(0, folder)
    (folder / "cgroup.procs").write_text(str(pid))
    return made

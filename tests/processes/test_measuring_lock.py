"""One measurement at a time on a machine, whoever holds the lock and however it ends."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from sweeper.errors import UsageError
from sweeper.processes.measuring_lock import measuring_lock
from tests.support.measuring import hold


def test_one_sweeper_measures_at_a_time_and_is_named() -> None:
    holder = hold()
    try:
        who = rf"another sweeper \(pid {holder.pid}\) is measuring on this machine"
        with pytest.raises(UsageError, match=who), measuring_lock():
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    with measuring_lock():  # a killed holder holds nothing
        pass
    with measuring_lock():
        pass


@pytest.mark.needs("namespaces")
def test_a_network_namespace_is_another_machine() -> None:
    holder = hold("unshare", "--net")
    with measuring_lock():
        pass
    holder.kill()
    holder.communicate()


def test_what_measuring_starts_does_not_hold_it() -> None:
    with measuring_lock():
        child = subprocess.Popen(["sleep", "60"])
    with measuring_lock():
        pass
    child.kill()
    child.wait()

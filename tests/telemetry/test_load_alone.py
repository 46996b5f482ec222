"""Samples of a load generator whose server is elsewhere: nothing is made up of that server or its machine."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import pytest

from sweeper.telemetry import LoadTelemetry, ProcTelemetry

OF_THE_LOAD = {"at_s", "client_cpu_s", "client_threads", "client_process_cpu_s"}
BUSY = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ntime.sleep(60)"


def test_a_sample_has_the_load_and_nothing_else() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as client:
        try:
            telemetry = LoadTelemetry()
            probe = telemetry.attach(None, client.pid)
            first, deadline_s = probe.sample(), time.monotonic() + 30
            while (last := probe.sample()).client_cpu_s is None or last.client_cpu_s < 0.25:
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
        finally:
            client.kill()
            client.wait()
    known = {name for name, value in dataclasses.asdict(last).items() if value is not None}
    assert known == OF_THE_LOAD
    assert first.at_s < last.at_s
    gone = probe.sample()
    assert (gone.client_cpu_s, gone.client_threads) == (None, None)
    assert (telemetry.available_bytes(), probe.quota_periods()) == (None, None)


def test_the_other_telemetry_has_no_server_to_look_at() -> None:
    with pytest.raises(ProcessLookupError, match="another machine"):
        ProcTelemetry().attach(None, 1)

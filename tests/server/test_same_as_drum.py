"""Each kind of model under the real `drum server` and under ours: status, content type and body are the same.

What goes wrong is asked, too. And the same again in eight threads at once: the answers are those of one.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from sweeper.launch.ports import free_port
from tests.support.drum_server import drum_process
from tests.support.kinds import KINDS, Ask, Kind
from tests.support.server_process import LIMIT_S, running

pytestmark = pytest.mark.needs("drum")
THREADS = 8
AT_ONCE = 240  # requests of each kind in eight threads
CUT_OFF = "cut off"


@dataclass(frozen=True)
class Pair:
    """The same folder, served twice."""

    kind: Kind
    drum: httpx.Client
    ours: httpx.Client


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    kind = KINDS[request.param]
    home = tmp_path_factory.mktemp(request.param)
    code_dir = kind.make(home / "code")
    options = ("--target-type", kind.target_type, *kind.options)
    with ExitStack() as stack, ThreadPoolExecutor(2) as starters:
        server = running(code_dir, free_port(), "--workers", str(THREADS), *options, **kind.variables)
        drum = drum_process(code_dir, home, options, variables=kind.variables)
        started = [starters.submit(each.__enter__) for each in (server, drum)]
        for each in (server, drum):
            stack.push(each.__exit__)
        urls = [str(started[0].result().client.base_url), started[1].result().url]
        ours, theirs = (stack.enter_context(client(url)) for url in urls)
        yield Pair(kind, theirs, ours)


def client(url: str) -> httpx.Client:
    """Both are called by one name, which is in where they redirect to."""
    limits, name = httpx.Limits(max_connections=None), {"Host": "the-server"}
    return httpx.Client(base_url=url, headers=name, timeout=LIMIT_S, trust_env=False, limits=limits)


def answer(server: httpx.Client, ask: Ask) -> dict[str, Any]:
    """What must be the same, which a boundary cannot be."""
    received = b""
    ending = ""
    with server.stream(ask.method, ask.path, **ask.given) as response:
        try:
            for chunk in response.iter_bytes():
                received += chunk
        except httpx.RemoteProtocolError:
            ending = CUT_OFF
    content_type = response.headers.get("content-type", "")
    boundary = re.search(r"boundary=(\w+)", content_type)
    if boundary:
        content_type = content_type.replace(boundary[1], "B")
        received = received.replace(boundary[1].encode(), b"B")
    found: Any = received
    if content_type.startswith("application/json") and received:
        found = json.loads(received)
    return {
        "status": response.status_code,
        "content_type": content_type,
        "body": found,
        "ending": ending,
        "user_error": response.headers.get("X-Drum-User-Http-Error"),
        "location": response.headers.get("Location"),
        "cookies": response.headers.get_list("Set-Cookie"),
    }


def test_each_answer_is_the_same(pair: Pair) -> None:
    different = []
    statuses = set()
    for ask in pair.kind.asks:
        ours, drums = answer(pair.ours, ask), answer(pair.drum, ask)
        statuses.add(drums["status"])
        if ours != drums:
            different.append((ask, ours, drums))
    assert different == []
    assert {200, 404, 405, 422} <= statuses  # it was not all refused


def test_info_is_the_same_but_for_the_servers_name(pair: Pair) -> None:
    ours, drums = (server.get("/info/").json() for server in (pair.ours, pair.drum))
    assert (ours.pop("drumServer"), drums.pop("drumServer")) == ("fastapi", "flask")
    assert ours == drums
    stats = pair.ours.get("/stats/").json()
    assert set(pair.drum.get("/stats/").json()) <= set(stats)


def test_eight_threads_answer_as_one(pair: Pair) -> None:
    alone = [(ask, answer(pair.ours, ask)) for ask in pair.kind.asks]
    many = (alone * (AT_ONCE // len(alone) + 1))[:AT_ONCE]
    random.Random(7).shuffle(many)
    with ThreadPoolExecutor(THREADS) as callers:
        found = list(callers.map(lambda each: answer(pair.ours, each[0]), many))
    different = [
        (ask, expected, got) for (ask, expected), got in zip(many, found, strict=True) if got != expected
    ]
    assert different == []
    stats = pair.ours.get("/stats/").json()
    assert stats["executor_max_concurrency"] > 1
    assert stats["executor_pending"] == stats["executor_running"] == 0

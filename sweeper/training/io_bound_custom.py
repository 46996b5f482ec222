"""The DRUM hooks of the io-bound model: each request waits on an upstream, then predicts.

`sweeper train --model io-bound` copies this file into the model's folder as custom.py. What to wait on:

| environment variable     | model.json, under "upstream" | meaning                                          |
|--------------------------|------------------------------|--------------------------------------------------|
| SWEEPER_UPSTREAM_WAIT_MS | wait_ms                      | pretend: sleep this long; 50 if neither is set   |
| SWEEPER_UPSTREAM_URL     | url                          | wait for the answer to a GET of this URL instead |

The environment beats model.json, and a URL beats the sleep. The wait holds no lock and burns no CPU, so up
to the upstream's own limit throughput grows with the threads, whatever the number of cores. The prediction
itself comes from the artifact next to this file, a small linear model.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

DEFAULT_WAIT_MS = 50.0
TIMEOUT_S = 30.0


class Upstream(NamedTuple):
    url: str | None = None
    wait_ms: float = DEFAULT_WAIT_MS

    def wait(self) -> None:
        if self.url is None:
            time.sleep(self.wait_ms / 1000)
            return
        with urllib.request.urlopen(self.url, timeout=TIMEOUT_S) as answer:
            answer.read()


def read_upstream(code_dir: str | os.PathLike[str]) -> Upstream:
    """What to wait on, from the environment and model.json; raises ValueError with one sentence."""
    path = Path(code_dir) / "model.json"
    settings = json.loads(path.read_text("utf-8")).get("upstream", {}) if path.exists() else {}
    url = os.environ.get("SWEEPER_UPSTREAM_URL") or settings.get("url")
    if url is not None and not str(url).startswith(("http://", "https://")):
        raise ValueError(f"the upstream's URL must start with http:// or https://, not {url!r}")
    wait = os.environ.get("SWEEPER_UPSTREAM_WAIT_MS") or settings.get("wait_ms", DEFAULT_WAIT_MS)
    try:
        wait_ms = float(wait)
    except (TypeError, ValueError):
        wait_ms = -1.0
    if not 0 <= wait_ms <= TIMEOUT_S * 1000:
        raise ValueError(f"the upstream's wait must be 0 to {TIMEOUT_S * 1000:g} milliseconds, not {wait!r}")
    return Upstream(url=url, wait_ms=wait_ms)


_upstream = Upstream()


def init(code_dir: str | os.PathLike[str], **kwargs: Any) -> None:
    """DRUM calls this once, before the model is loaded."""
    global _upstream  # noqa: PLW0603 - DRUM's hooks are functions of a module; there is no object to keep it in
    _upstream = read_upstream(code_dir)


def score(data: pd.DataFrame, model: Any, **kwargs: Any) -> pd.DataFrame:
    """DRUM calls this for each request; one column `Predictions`, one row for each row of `data`."""
    _upstream.wait()
    return pd.DataFrame({"Predictions": model.predict(data)})

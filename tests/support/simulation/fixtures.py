"""Each module's figures as one table, shown by `pytest -s`."""

from __future__ import annotations

Table = list[dict[str, str]]

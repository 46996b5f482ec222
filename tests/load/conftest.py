"""A CSV for all tests of the load."""

from __future__ import annotations

from tests.support.load_sessions import data

__all__ = ["data"]

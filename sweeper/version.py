"""Which sweeper this is, and which libraries are here; by itself, so that the lower floors can say it."""

from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"

SAME_MODULE = {"xgboost": "xgboost-cpu"}
"""Another distribution of the same module, the same releases under the same numbers."""


def installed_version(distribution: str) -> str | None:
    """Its version, or that of another distribution of its module; None: neither is installed."""
    for name in (distribution, SAME_MODULE.get(distribution)):
        try:
            return version(name) if name else None
        except PackageNotFoundError:
            continue
    return None

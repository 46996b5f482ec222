"""When a study is not gone on with, because it was begun in another environment, and what keeps a host from
joining one. What its settings refuse is in settings/."""

from __future__ import annotations

from collections.abc import Mapping

from sweeper.analysis.fingerprints import SOFTWARE, differences
from sweeper.errors import UsageError
from sweeper.store.database import StoredStudy
from sweeper.study.where import Where


def check_environment(existing: StoredStudy, environment: Mapping[str, object], where: Where) -> None:
    """`environment` is today's, of this host. Raises UsageError where it is not the one the study was begun
    in; for a host that joins, where it is not alike as far as hosts must be."""
    before = where.environments(existing.name) if where.shared else {}
    joins = where.shared and where.host not in before
    compare = host_differences if joins else environment_differences
    begun: Mapping[str, object] = before[where.host] if where.shared and not joins else existing.environment
    changed = compare(begun, environment)
    if changed:
        raise UsageError(
            f"study '{existing.name}' was begun in another environment ({'; '.join(changed[:5])}): use a "
            "new --study, or --allow-drift to go on all the same"
        )


def environment_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What differs between two fingerprints, by name: `packages.numpy was 2.4.6, is 2.5.0`."""
    return tuple(found.sentence("{name} was {a}, is {b}") for found in differences(stored, now))


def host_differences(stored: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """What keeps a host from joining a study: what is measured, or with what, is not the same. Machines may
    differ, for each makes whole blocks; a commit says something only where both are in a repository."""
    known = [name for name in SOFTWARE if name != "git_commit" or (stored.get(name) and now.get(name))]
    return environment_differences(
        {name: stored.get(name) for name in known}, {name: now.get(name) for name in known}
    )

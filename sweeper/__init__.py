"""sweeper: how many threads should this model server run?

`load_study` and `StudyData` are for people's own Python; they are imported when first used, so that
`import sweeper` takes next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweeper.version import __version__

if TYPE_CHECKING:
    from sweeper.store.data_frames import StudyData
    from sweeper.study.read_study import load_study

__all__ = ["StudyData", "__version__", "load_study"]


def __getattr__(name: str) -> Any:
    if name == "load_study":
        from sweeper.study.read_study import load_study

        return load_study
    if name == "StudyData":
        from sweeper.store.data_frames import StudyData

        return StudyData
    raise AttributeError(f"module 'sweeper' has no attribute '{name}'")

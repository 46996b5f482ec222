"""One profile for all properties: no deadline (the machine may be busy), the same examples every time.

`--hypothesis-profile=deep` looks further, at random.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("sweeper", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=3000)
settings.load_profile("sweeper")

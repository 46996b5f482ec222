"""Which names studies, hosts and runs may have: each is also a folder's, whoever gave it."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RULE = "1 to 100 letters, digits, '.', '_' or '-', beginning with a letter or digit"


def is_name(text: object) -> bool:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None

"""Everything sweeper can say, read from its code: `python -m tests.support.messages` lists it for a reader.

One line each, `file:line: text`, with {…} where a value is filled in; some are parts that code joins. What
has fewer than four words is a name or a label, not a message.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "sweeper"
FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Message:
    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(PACKAGE.parent)}:{self.line}: {self.text}"


def messages() -> Iterator[Message]:
    for file in sorted(PACKAGE.rglob("*.py")):
        for line, text in _texts(ast.parse(file.read_text("utf-8"))):
            words = text.split()
            if len(words) >= FEWEST_WORDS:
                yield Message(file, line, " ".join(words))


def _texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Strings in the order of the code, without docstrings (statements of nothing but a string)."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        yield node.lineno, "".join(_part(part) for part in node.values)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return f"{{{ast.unparse(part.value)}}}"
    return str(part.value) if isinstance(part, ast.Constant) else ""


if __name__ == "__main__":
    for message in messages():
        print(str(message).encode("utf-8", "backslashreplace").decode())  # one names a lone surrogate

"""From a request's body to the samples in it: a multipart field `X`, or the raw body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sweeper.server.errors import RequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "X"
NO_SAMPLES = (
    "ERROR: Samples should be provided as:   - a csv or mtx under `X` form-data param key.  - binary data"
)
"""Word for word what DRUM 1.18.1 answers."""
FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class Samples:
    """The bytes to score and what the client says they are. `mimetype` None: not said, so CSV."""

    data: bytes
    mimetype: str | None = None
    charset: str | None = None


def read_samples(content_type: str, body: bytes) -> Samples:
    """The samples in a request. Raises RequestError (422) where there are none."""
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return from_multipart(options.get(b"boundary", b""), body)
    if not body or kind.decode("latin-1") in FORM_TYPES:
        raise RequestError(422, NO_SAMPLES)
    charset = options.get(b"charset")
    return Samples(body, kind.decode("latin-1") or None, charset.decode("latin-1") if charset else None)


def from_multipart(boundary: bytes, body: bytes) -> Samples:
    """The first *file* under the field `X`; a plain form value of that name is no file."""
    if not boundary:
        raise RequestError(
            422, "ERROR: The multipart body cannot be read: its content type names no boundary."
        )
    collector = FileCollector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        parser.write(body)
    except FormParserError as error:
        raise RequestError(422, f"ERROR: The multipart body cannot be read: {error}.") from None
    if collector.file_name is None:
        raise RequestError(422, NO_SAMPLES)
    if not collector.complete:
        raise RequestError(422, "ERROR: The multipart body cannot be read: it ends in the middle of a file.")
    is_matrix = collector.file_name.lower().endswith(".mtx")
    return Samples(b"".join(collector.chunks), "text/mtx" if is_matrix else None)


class FileCollector:
    """Callbacks of the multipart parser that keep the first file under `X` and let the rest pass."""

    def __init__(self) -> None:
        self.file_name: str | None = None
        self.chunks: list[bytes] = []
        self.complete = False
        self._wanted = False
        self._name = b""
        self._value = b""
        self._disposition = b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self.part_begin,
            "on_part_data": self.part_data,
            "on_part_end": self.part_end,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
        }

    def part_begin(self) -> None:
        self._wanted = False
        self._disposition = self._name = self._value = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        file_name = options.get(b"filename")
        if file_name is not None and options.get(b"name") == FIELD.encode() and not self.complete:
            self._wanted = True
            self.file_name = file_name.decode("utf-8", errors="replace")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self.chunks.append(data[start:end])

    def part_end(self) -> None:
        self.complete = self.complete or self._wanted

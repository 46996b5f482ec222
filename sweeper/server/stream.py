"""The rest of a streamed answer, on its way from a pool thread to the event loop that sends it.

The thread is at most CHUNKS_AHEAD chunks ahead of the client. When the client goes away, the thread stops
after its next chunk: nothing can interrupt a thread inside a model.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sweeper.server import wsgi

CHUNKS_AHEAD = 16  # made before the client has taken them


class Stream:
    """One stream: `pump_of` is for the thread, everything else for the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._chunks: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(CHUNKS_AHEAD)
        self._abandoned = False

    def pump_of(self, answer: wsgi.Answer) -> Callable[[], None] | None:
        """What the pool thread does after it has handed the answer over; None for a whole one."""
        return (lambda: self._pump(answer)) if answer.rest is not None else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises what the application raised: the connection is then cut off."""
        while (chunk := await self._chunks.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            self._room.release()
            yield chunk

    def abandon(self) -> None:
        """Nobody takes any more of it."""
        self._abandoned = True
        self._room.release()  # the thread may wait for it

    def _pump(self, answer: wsgi.Answer) -> None:
        assert answer.rest is not None
        end: Exception | None = None
        try:
            while not self._abandoned and (chunk := next(answer.rest, None)) is not None:
                if chunk:
                    self._room.acquire()
                    self._send(chunk)
        except Exception as error:
            end = error
        except BaseException as error:  # sys.exit() in a hook must not end the server
            end = RuntimeError(f"a stream raised {error!r}")
        finally:
            try:
                answer.close()
            finally:
                self._send(end)

    def _send(self, chunk: bytes | Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)


class CutOffWithItsSource(StreamingResponse):
    """Cuts the connection when a stream fails, so that no client takes the part for the whole.

    Starlette's BaseHTTPMiddleware would end the stream normally, so app.py's `to_its_end` raises the error
    that is stored here.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:
            scope["state"]["failure"] = error
            raise


class StreamedAnswer(CutOffWithItsSource):
    """Abandons the stream however the answer ends: sent, cut off, or the client gone."""

    def __init__(self, answer: wsgi.Answer, stream: Stream) -> None:
        super().__init__(stream.chunks(), status_code=answer.status)
        self.raw_headers = [*answer.headers]
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.abandon()

"""Users verify the certificate of an https server, by the same CAs as sweeper itself.

FastHttpUser by itself verifies nothing, and HttpUser goes by a store of its own (certifi). What a locust file
sends to other servers is left to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from gevent import ssl
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from sweeper.locust_side.wire import RecorderSettings


def trusted(cafile: str | None = None) -> ssl.SSLContext:
    """For `ssl_context_factory`; the file that geventhttpclient names is of its own store."""
    return _trusted()


@cache
def _trusted() -> ssl.SSLContext:
    """One for all users of this process: to read the CAs takes some milliseconds."""
    return ssl.create_default_context(cafile=RecorderSettings.from_environment().ca_file)


def install(ca_file: str | None) -> None:
    """Before locust makes its users."""
    _verify_fast()
    paths = ssl.get_default_verify_paths()
    _verify(ca_file or paths.cafile or paths.capath)


def _verify_fast() -> None:
    original: Callable[..., None] = FastHttpSession.__init__

    def begin(
        self: Any,
        base_url: str | None,
        request_event: Any,
        user: Any,
        insecure: bool = True,
        client_pool: Any = None,
        ssl_context_factory: Any = None,
        **more: Any,
    ) -> None:
        if _has_certificate(base_url):
            # One of the file's own may hold the certificate of a client.
            insecure, ssl_context_factory = False, ssl_context_factory or trusted
        original(self, base_url, request_event, user, insecure, client_pool, ssl_context_factory, **more)

    FastHttpSession.__init__ = begin  # type: ignore[method-assign]


def _verify(store: str | None) -> None:
    """`store` is a file or a folder; None: that of the client stays."""
    original: Callable[..., Any] = HttpSession.merge_environment_settings

    def merge(self: Any, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        here = _has_certificate(self.base_url) and str(url).startswith(self.base_url)
        if here and store is not None and verify in (None, True) and self.verify is True:
            verify = store
        return original(self, url, proxies, stream, verify, cert)

    HttpSession.merge_environment_settings = merge  # type: ignore[method-assign]


def _has_certificate(base_url: str | None) -> bool:
    return (base_url or "").lower().startswith("https:")

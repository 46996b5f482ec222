"""Makes locust log every request raw, whatever its locustfile is.

locust's `request` event fires when a request completes and knows nothing of those that never do, so
the recorder wraps the `request` method of locust's two HTTP sessions. What it logs is in wire.py.

Under open_loop_locustfile.py a request starts when it was to arrive: `arrive` and `refuse` log that moment,
and the latency counts from it.

SIGUSR1 drains: from then on no request starts, those in flight end, then locust quits. Where there are
several processes, each has a log of its own, their master none, and processes.py (or, on other hosts,
remote_master.py) drains them.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import gevent
import locust.log
from locust import User, events
from locust.clients import HttpSession
from locust.clients import ResponseContextManager as HttpResponseContext
from locust.contrib.fasthttp import FastHttpSession
from locust.contrib.fasthttp import ResponseContextManager as FastHttpResponseContext
from locust.env import Environment
from locust.runners import STATE_RUNNING, LocalRunner, MasterRunner, Runner, WorkerRunner

from sweeper.locust_side import answer_size, memory_watch, receive_times
from sweeper.locust_side.raw_log import Recorder, Ticket, into_file
from sweeper.locust_side.wire import RecorderSettings

HAND_MADE = "requests that do not go through HttpUser's or FastHttpUser's client are not recorded"
TICKET = "sweeper_ticket"
KEPT_OF_MEMORY = 8
"""The answers under way may take 1/KEPT_OF_MEMORY of the memory: a client holds up to four copies of each."""
LOOK_PERIOD_S = 0.05
"""How often is looked whether the users have been made."""


def install(settings: RecorderSettings) -> None:
    """Before locust makes its users. Where this process has users of its own, its log begins now."""
    receive_times.install()
    answer_size.count_decrypted()
    recorder = Recorder()
    together = None if settings.max_memory_bytes is None else settings.max_memory_bytes // KEPT_OF_MEMORY
    recorder.answers = answer_size.Answers(settings.max_answer_bytes, together)
    if len(settings.log_paths) == 1:
        recorder.begin(into_file(settings.log_paths[0]))
    memory_watch.install(settings.max_memory_bytes)
    record_session(FastHttpSession, recorder)
    record_session(HttpSession, recorder)
    record_verdicts(FastHttpResponseContext, recorder)
    record_verdicts(HttpResponseContext, recorder)
    record_completions(recorder)
    record_users(recorder)
    control(recorder, settings)


def record_session(session: type[Any], recorder: Recorder) -> None:
    """Wrap `session.request` so that every call is recorded.

    The ticket travels in the request's context, the one thing locust hands through to the event.
    """
    original: Callable[..., Any] = session.request
    position = list(inspect.signature(original).parameters).index("context") - 3

    def request(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        arrived: Ticket | None = kwargs["context"].get(TICKET) if "context" in kwargs else None
        if arrived is not None:
            arrived.sent = time.monotonic()
            return sent(self, arrived, method, url, args, kwargs)
        if recorder.draining:
            gevent.sleep(0.01)  # lets the rest end even when the user's code swallows this and retries
            raise gevent.GreenletExit
        try:
            user = self.sweeper_user
        except AttributeError:
            user = self.sweeper_user = recorder.new_user()
            self.sweeper_here = not recorder.goes_elsewhere("", self.base_url)
        here = self.sweeper_here and isinstance(url, str) and url.startswith("/")
        ticket = recorder.start(user, not here and recorder.goes_elsewhere(url, self.base_url))
        if len(args) > position:
            args = (*args[:position], {**args[position], TICKET: ticket}, *args[position + 1 :])
        elif "context" in kwargs:
            kwargs["context"] = {**kwargs["context"], TICKET: ticket}
        else:
            kwargs["context"] = {TICKET: ticket}
        return sent(self, ticket, method, url, args, kwargs)

    def sent(self: Any, ticket: Ticket, method: Any, url: Any, args: Any, kwargs: Any) -> Any:
        with recorder.answers.reading():
            return answered(self, ticket, method, url, args, kwargs)

    def answered(self: Any, ticket: Ticket, method: Any, url: Any, args: Any, kwargs: Any) -> Any:
        try:
            response = original(self, method, url, *args, **kwargs)
        except BaseException as error:
            if ticket.failed is None:
                recorder.abandon(ticket, error)
            raise
        if ticket.failed is None:  # catch_response: the figures are known, the verdict follows
            meta = response.request_meta
            recorder.finish(
                ticket,
                bool(meta["exception"]) or not 0 < (meta["response"].status_code or 0) < 400,
                meta["response"].status_code or 0,
                meta["response_length"],
                meta["response_time"],
            )
        return response

    session.request = request


def record_verdicts(context: type[Any], recorder: Recorder) -> None:
    """Wrap the end of `with client.get(..., catch_response=True)`: an exception in it is a failure.

    locust lets such an exception through and reports nothing at all.
    """
    original: Callable[..., Any] = context.__exit__

    def leave(self: Any, kind: type[BaseException] | None, value: Any, traceback: Any) -> Any:
        swallow = original(self, kind, value, traceback)
        if kind is not None:
            ticket = self.request_meta["context"].pop(TICKET, None)
            if ticket is not None and not issubclass(kind, gevent.GreenletExit):
                recorder.verdict(ticket, True)
        return swallow

    context.__exit__ = leave


def record_completions(recorder: Recorder) -> None:
    """Listen to locust's `request` event, first of all listeners: the others never see the ticket."""

    def on_request(
        context: dict[str, Any] | None = None,
        response: Any = None,
        exception: Any = None,
        response_time: float = 0.0,
        response_length: int = 0,
        **_: Any,
    ) -> None:
        ticket: Ticket | None = context.pop(TICKET, None) if context else None
        if ticket is None:
            recorder.quote("fired by hand", HAND_MADE)
            return
        if ticket.failed is None:
            status = response.status_code or 0
            recorder.finish(ticket, bool(exception), status, response_length, response_time)
        else:
            recorder.verdict(ticket, bool(exception))

    events.request.add_listener(on_request)  # type: ignore[no-untyped-call]


def record_users(recorder: Recorder) -> None:
    """Count exceptions that end a task, and users that end before they are stopped."""

    def on_user_error(exception: BaseException, **_: Any) -> None:
        recorder.crash(exception)

    events.user_error.add_listener(on_user_error)  # type: ignore[no-untyped-call]
    original: Callable[[Any], None] = User.run

    def run(self: Any) -> None:
        try:
            original(self)
        finally:
            recorder.user_ended()

    User.run = run  # type: ignore[method-assign, misc]


def control(recorder: Recorder, settings: RecorderSettings) -> None:
    """Tie the recorder to locust's life: checks, spawning, drain, the end."""

    def on_init(environment: Environment, runner: Runner, **_: Any) -> None:
        if isinstance(runner, LocalRunner) != (len(settings.log_paths) == 1):
            raise RuntimeError(
                "sweeper decides how many processes locust has (--load-processes): unset LOCUST_MODE_MASTER, "
                "LOCUST_MODE_WORKER and LOCUST_PROCESSES, and remove these from locust.conf"
            )
        if environment.shape_class is not None:
            name = type(environment.shape_class).__name__
            raise RuntimeError(f"sweeper sets the number of users: remove the load shape {name}")
        keep_path(environment)
        if settings.check_only:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        recorder.server_url = lambda: environment.host or ""
        if environment.parsed_options is not None:
            environment.parsed_options.run_time = None  # sweeper decides when to stop
        environment.sweeper_recorder = recorder  # type: ignore[attr-defined]
        if isinstance(runner, MasterRunner):
            return  # it has no users
        if isinstance(runner, WorkerRunner):
            if settings.log_paths:
                recorder.begin(into_file(settings.log_paths[runner.worker_index]))
        else:
            gevent.signal_handler(signal.SIGUSR1, drain, runner)
        gevent.spawn(recorder.flush_for_ever)
        gevent.spawn(watch_spawning, runner)
        gc.collect()
        gc.freeze()  # a full collection of all that was imported stalls the loop for tens of ms

    def keep_path(environment: Environment) -> None:
        """--host replaces the locustfile's host and would drop its path, so append that path again. A load
        worker on another host has no host yet: the master sends it with the users."""
        paths = {urlsplit(kind.host or "").path.rstrip("/") for kind in environment.user_classes}
        if len(paths) > 1:
            raise RuntimeError(
                "its user classes have hosts with different paths "
                f"({', '.join(sorted(path or 'none' for path in paths))}): give all the same, and put what "
                "differs into the paths of the requests"
            )
        path = next(iter(paths), "")
        if path and environment.host:
            environment.host = f"{environment.host}{path}"

    def watch_spawning(runner: Runner) -> None:
        """locust logs a user class that cannot be made, then runs on without users for ever."""
        while runner.state != STATE_RUNNING:
            if locust.log.unhandled_greenlet_exception:
                runner.quit()
                return
            gevent.sleep(LOOK_PERIOD_S)

    def drain(runner: Runner) -> None:
        """locust's own stop would cut off what is under way (--stop-timeout 0) or let tasks go on."""
        recorder.drain()
        runner.quit()

    def on_spawned(user_count: int, **_: Any) -> None:
        recorder.spawned(user_count)

    events.init.add_listener(on_init)  # type: ignore[no-untyped-call]
    events.spawning_complete.add_listener(on_spawned)  # type: ignore[no-untyped-call]
    atexit.register(recorder.flush)
    # The kernel's bound on a client that everybody forgot: SIGALRM's default action ends the process.
    signal.setitimer(signal.ITIMER_REAL, settings.max_duration_s)

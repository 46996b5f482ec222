"""`python -P -m sweeper.locust_side OPTIONS`: locust, which logs every request raw.

The options are locust's own; RecorderSettings come by the environment. All of sweeper that is needed is
imported before locust puts the current folder and the locustfile's on sys.path, so that files there may be
named like ours.
"""

from __future__ import annotations

import sys

import locust.main  # first of all: it patches sockets, threads and clocks (gevent)

from sweeper.locust_side import certificates, recorder
from sweeper.locust_side.wire import RecorderSettings, RemoteSettings, Role


def main() -> None:
    settings = RecorderSettings.from_environment()
    recorder.install(settings)
    certificates.install(settings.ca_file)
    if settings.role == Role.PROCESSES:
        from sweeper.locust_side import processes

        processes.install()
    elif settings.role == Role.REMOTE_MASTER:
        from sweeper.locust_side import remote_master  # and numpy, which nobody else needs

        remote_master.install(RemoteSettings.from_environment())
    elif settings.role == Role.REMOTE_WORKER:
        from sweeper.locust_side import remote_worker

        remote_worker.install()
    if settings.standstill_path is not None:
        from sweeper.locust_side import standstill

        standstill.install(settings.standstill_path)
    sys.exit(locust.main.main())  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()

"""Load on the server: locust in a process of its own (locust_side/), and the log of every request it made.

generator.py      which users, on what data, against which server: starts locust
input_files.py    the CSV and the user's own locustfile: can they be used at all?
distributed.py    several processes of locust here, or load workers on other hosts
load_worker.py    `sweeper load-worker`, on such a host
session.py        a running locust: how far it is, how it is drained and ended
request_log.py    reads what locust's side logs
first_answer.py   one upload before the load
"""

from sweeper.load.distributed import Hosts
from sweeper.load.generator import LocustGenerator

__all__ = ["Hosts", "LocustGenerator"]

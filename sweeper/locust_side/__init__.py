"""What runs inside locust's own process: an island that imports nothing else of sweeper.

__main__.py              `python -m sweeper.locust_side`: locust, with all of this in it
wire.py                  what both sides must agree on: settings, the raw log, messages, exit codes
recorder.py              hooks into locust: sees every request start and finish, drains
raw_log.py               numbers the requests, writes the records
answer_size.py           gives up answers that are too long
memory_watch.py          ends locust before it fills the memory
receive_times.py         when the kernel received an answer, so that reading it late is known
certificates.py          users verify the certificate of an https server
locustfile.py            the default users: they upload a CSV, wait, upload again
open_loop_locustfile.py  the open loop: uploads arrive at random, whatever became of those before
standstill.py            users' waits stand still while locust is stopped
processes.py             several processes of locust on this machine are one load
remote_master.py         load workers on other hosts are one load: the side that has no users
remote_worker.py         the side that has them
"""

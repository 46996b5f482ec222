"""The prediction server of DRUM's FastAPI plan, as an island: `python -m sweeper.server --code-dir DIR`.

It runs in its own process and imports nothing from the rest of sweeper; the rest talks to it over
HTTP, environment variables and files alone. DRUM's own application predicts; what is ours is around it.

What happens to a request, and where it is written down:

    connections.py   event loop    time and size of the headers, clients that go away
    app.py           event loop    request id, headers, the first gate (gate.py): 503
    predict.py       event loop    size limit (413), body, time limit (504), the answer
    bodies.py        event loop    the bytes of all bodies together: 503
    executor.py      event loop    the second gate: pool + queue, then 503; hand-over to a thread and back
    wsgi.py          pool thread   the request as WSGI, DRUM's answer
    stream.py        both          the rest of an answer that is streamed
    drum.py          pool thread   DRUM: parsing, hooks, the model, JSON; its threads kept apart
    refusals.py      event loop    the texts of 413, 503 and 504
"""

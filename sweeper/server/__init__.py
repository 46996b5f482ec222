"""The prediction server of DRUM's FastAPI plan, as an island: `python -m sweeper.server --code-dir DIR`.

It runs in its own process and imports nothing from the rest of sweeper; the rest talks to it over
HTTP, environment variables and files alone.

What happens to a request, and where it is written down:

    predict.py       event loop    size limit, body, time limit, answer
    executor.py      event loop    admission: pool + queue, then 503; hand-over to a thread and back
    payload.py       pool thread   multipart or raw body -> CSV bytes
    model.py         pool thread   CSV -> DataFrame -> hooks, predict -> JSON
"""

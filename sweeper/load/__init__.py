"""Load on the server: locust in a process of its own, and the raw log of every request it made."""

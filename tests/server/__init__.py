"""The prediction server: its parts, and the real process over HTTP."""

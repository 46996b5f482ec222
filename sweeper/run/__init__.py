"""One fresh server, loaded and measured; runs side by side; the Protocols of the outside world."""

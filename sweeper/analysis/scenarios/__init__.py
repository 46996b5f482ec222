"""Two servers with the same model under several loads: what follows, which claims hold."""

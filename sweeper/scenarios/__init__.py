"""Two servers with the same model under several loads: what is run, what follows, which claims hold."""

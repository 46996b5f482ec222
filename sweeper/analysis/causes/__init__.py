"""Why the answer wins: what the figures of the configurations show of cores, locks and waiting."""

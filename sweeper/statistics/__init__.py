"""The statistics of the protocol: figures of a run, warm-up, the block model, the decision. Pure."""

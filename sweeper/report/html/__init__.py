"""One page per study to look at: pictures with the figures behind them, in one file. A module is a section."""

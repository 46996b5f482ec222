"""A page per study to look at: pictures with the figures beside them, in one file; a module is a section."""

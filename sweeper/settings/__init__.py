"""The settings of a study: what may be said by flag, environment and file, and what it means."""

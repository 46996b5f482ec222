"""Which sweeper this is; by itself, so that the lower floors can say it as well."""

__version__ = "0.1.0"

"""sweeper: how many threads should this model server run?"""

__version__ = "0.1.0"

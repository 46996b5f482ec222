"""The nouns of the project as frozen records, with the unit in each name."""

"""A study as text: tables and sentences for a terminal."""

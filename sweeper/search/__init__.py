"""What to run next: the grid's blocks."""

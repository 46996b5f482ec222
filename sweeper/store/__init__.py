"""Where studies are kept: one SQLite database and a folder of files per study."""

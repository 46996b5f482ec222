"""Where studies are kept: a database of all of them, and a folder of files for each.

study_store.py    one study as it is run: its lock, its files, its runs
database.py       SQLite or PostgreSQL: studies and their runs
schema.py         the tables in it, and how older ones catch up
patience.py       how long a database is waited for
database_url.py   which URLs there may be, and how one is shown without its password
claims.py         who makes which block of a study that several hosts share
codec.py          runs to and from the database's columns and runs.csv
parquet.py        each run's requests and telemetry as Parquet files
packed_study.py   a study in one file (sweeper pack): its format, and reading it with distrust
pack_writing.py   making that file
trace_rows.py     what is drawn of each run, as it stands in that file
durable.py        files that are wholly there or not at all, also after a power cut
data_frames.py    a study as tables for people's own Python (sweeper.load_study)
"""

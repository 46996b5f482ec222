"""Where studies are kept: a database of all of them, and a folder of files for each.

study_store.py      one study as it is run: its lock, its files, its runs
database.py         SQLite or PostgreSQL: studies and their runs
schema.py           the tables in it, and how older ones catch up
run_rows.py         runs to and from rows of these tables; row_values.py checks every value that is read
database_url.py     which URLs there may be, and how one is shown without its password
database_waits.py   how long a database is waited for
kept_runs.py        finished runs on the disk while the database is away
claims.py           who makes which block of a study that several hosts share
runs_csv.py         the columns of runs.csv
parquet.py          each run's requests and telemetry as Parquet files
durable_files.py    files that are wholly there or not at all, also after a power cut
packed_study.py     a study in one file (sweeper pack): its format, and reading it with distrust
pack_writing.py     making that file
trace_rows.py       what is drawn of each run, as it stands in that file
data_frames.py      a study as tables for people's own Python (sweeper.load_study)
answers_cache.py    the answers of finished studies, kept for `sweeper studies`
"""

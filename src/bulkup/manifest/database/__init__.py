"""The manifest's file.

schema.py      the migrations, each of which is SQL of the modules below
tables.py      tables, indexes and triggers
counts.py      counts by state: kept by triggers, or by statements about many rows
data/          schema.sql: what the migrations make of a new file, all at once
sidecars.py    tables and triggers of XMP sidecars
pairs.py       the view of files that are one picture
takeout.py     tables of albums and of the JSON of Google Takeout
serve.py       the tables of bulkup serve
views.py       the views that docs/manifest.md describes
migrations.py  brings a file to the newest schema, after a backup
connection.py  opens it; turns SQLite's errors into ManifestError
sql.py         what all groups of statements share
scratch.py     a folder beside it for a copy, for a while
filesystem.py  whether it lies on a network file system
"""

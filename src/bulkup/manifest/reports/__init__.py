"""Questions to the manifest. Nothing here writes.

status.py     counts, failures, files, batches
attempts.py   failures with all their attempts
metrics.py    latencies, and how runs ended
export.py     all assets with metadata and vectors
content.py    all that is known of one content
failures.py   pages of files that failed
changes.py    what happened since a moment
search.py     pictures as a search reads them
objects.py    what the objects of a listing are
albums.py     albums and the files in them
pull.py       what a pull fetches, and the names of its files
query.py      any query of the user's
dry_run.py    the copy that a dry run works on, and what it asks
integrity.py  the condition of the file
"""

"""Everything that bulkup remembers, in one SQLite file. All SQL is here.

manifest.py           opened to work with
reader.py             opened for questions only
database/             the file: its schema, its connections, their errors
rows.py               the values that the statements take and return
runs.py               processes at work, their heartbeats, the claims of dead ones
destinations.py       where roots go, and what was learned of it
batches.py            pushes: begun, interrupted, taken over, forgotten
files/                roots, folders and files, as a scan finds them
queue/                work items: claimed, registered, settled, requeued
multipart_uploads.py  uploads in parts, and the parts that are stored
pictures.py           variants and metadata
embeddings.py         embedders and their vectors
verification.py       objects that `verify` checks, and what it found
import_objects.py     objects that `rebuild` found
copies.py             copies of the manifest, made and sent
server.py             opened by `bulkup serve`
uploads/              what its clients are about to upload, and what they have
tokens.py             who may use `bulkup serve`
notifications.py      ends of runs, and alerts
gallery/              the pictures in the order of their dates, and their pages
merge/                another manifest joined to this one
garbage.py            what `clean` removes
reports/              what the commands that only read show
"""

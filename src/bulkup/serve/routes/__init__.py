"""The routes of /api/v1, a module a subject. Each has ROUTES.

parameters.py     query parameters, paths and JSON bodies, checked
stats.py          where everything stands; Prometheus
events.py         server-sent events
files.py          files, and all that is known of one
pictures.py       thumbnails, previews, originals
search.py         by words, by example, near-duplicates
failures.py       failures, and retry
work.py           process and embed
openapi.py        the description of all this
notifications.py  ends of runs, alerts
uploads.py        what clients without keys of the bucket send
upload_bodies.py  their bytes, where the destination is a directory
"""

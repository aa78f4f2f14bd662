"""One run: a process at work, its jobs, its numbers. In the order of the data:

context.py           RunContext: the manifest, clock, random, events that all parts share
options.py           BatchOptions: what a batch was started with, as the manifest keeps it
job.py               a job (one batch to one destination), and what its stages share
run.py               Run: its jobs one after the other, from the first claim to the summary
heartbeat.py         the run's heartbeat, and which runs are dead
descriptors.py       how many open files are allowed
limits.py            --limit, --max-errors, --max-duration, for the whole run
job_runner.py        the supervisor of one job: scan, stages, copies
stop_signal.py       how tasks end: in order after a stop, or at once with the first error
stages/              the runner of all stages; the workers of process and embed
work/                the work on the pictures of a task, here or in a cluster's worker
scan/                what the roots hold, compared with the manifest
upload/              the worker of the upload: load → send
pull/                plan → fetch → place: the way back
ingest/              the second process, which reads small files
circuit_breaker.py   trouble of the whole destination: a pause, or the end of the job
store_requests.py    requests to a store, each with its tries
store_reader.py      listings, questions and reads, for the verbs that change nothing
open_destination.py  opens a destination with what the manifest knows of it
manifest_copy.py     a copy of the manifest beside the objects
async_manifest.py    the manifest as the event loop calls it
summary.py           jobs → the numbers of their run
"""

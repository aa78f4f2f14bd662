"""The runner that upload, process and embed share, and the workers of the latter two.

build.py          the stages of a job, each with its worker
runner.py         StageRunner: claim → work → settle
claims.py         the items that the run holds at a stage, and where it gets more
results.py        how attempts ended: counted, emitted, settled in batches
attempts.py       the worker of process and embed: several attempts at the same time
process.py        an attempt at process: find the bytes, make the variants
sidecars.py       XMP files that changed, after the pictures
variants.py       puts variants beside the originals
embed.py          an attempt at embed: find variants, give them to the embedder
variant_cache.py  fresh variants, kept in memory for embed
lazy_embedder.py  the run's embedder, opened when it is first needed
downloads.py      the folder for downloaded objects
"""

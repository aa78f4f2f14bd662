"""The runner that upload, process and embed share, and the workers of the latter two.

build.py          the stages of a job, each with its worker
runner.py         StageRunner: claim → work → settle
claims.py         the items that the run holds at a stage, and where it gets more
counts.py         the numbers of one stage
results.py        how attempts ended: counted, emitted, settled in batches
attempts.py       the worker of process and embed: several attempts at the same time
task_size.py      how many items one attempt takes
engine.py         the engines of a job's stages: this process, or a cluster
proof.py          what clients sent in parts is read before it is believed
process.py        an attempt at process: give contents to the engine
signing.py        signed URLs for the workers of a cluster
embed.py          an attempt at embed: give variants to the engine
sidecars.py       XMP files that changed, after the pictures
lazy_embedder.py  the run's embedder, opened when it is first needed
"""

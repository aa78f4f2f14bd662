"""The verbs of bulkup for Python, which the command line is built on.

exports       what `bulkup` exports
verbs         the verbs as plain functions
aio           the verbs as async functions; `bulkup.aio` is their public place
options       options as keyword arguments, and the settings they make
checks        values that no setting is, and that the command line's parser refuses
plans         dry runs
queries       status, failures and searches, read from the manifest
results       what the functions return
loops         event loops
listener      the caller's callbacks during a run
runs          carries out a run: manifest, context, metrics file, webhook
verification  verifies several destinations
"""

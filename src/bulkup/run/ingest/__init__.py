"""A second process that reads small files. Others import IngestProcess and nothing else.

process.py     IngestProcess: forks it, gives it orders
messages.py    what the two say to each other
worker.py      the second process: read, hash, register
write_lock.py  which of the two writes into the manifest next
"""

"""The worker of the upload stage. In the order of the data:

pipeline.py       the stage's worker: load → send
prefetch.py       claims → groups → loads
loader.py         one group: read, hash, register
key_facts.py      what a template of keys needs to know of a file
target.py         where files go: their keys
ready_queue.py    what is loaded and not sent, bounded by bytes
sender_pool.py    as many senders as requests may be in flight
sender.py         one content: its request, its tries, its spare key
multipart.py      a large content: sent in parts
part_reader.py    the bytes of parts
server_copies.py  duplicates, copied by the store
"""

"""Work items on their way from state to state. Each change is one statement that names both states.

claim.py     ready or waiting and due → claimed, for all stages
uploads.py   the upload stage: claim, register, settle, what is left
register.py  deduplication: which item sends a content, under which key
stages.py    process and embed: enqueue, claim, settle, what is left
settle.py    the end of attempts: done, skipped, waiting or dead
release.py   claims that are given back; contents that gain or lose an asset
requeue.py   `retry`: waiting or dead → ready
accepted.py  `accept`: dead items that are no longer reported as failures
"""

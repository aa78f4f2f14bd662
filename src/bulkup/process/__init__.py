"""Content to variants and metadata, in processes of their own.

`workers` keeps the processes, `worker` is what runs in them, `variants` is what they are asked.
"""

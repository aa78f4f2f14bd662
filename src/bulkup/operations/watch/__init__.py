"""Watching folders: pushes whenever files have come to rest. In the order of the data:

watched_root.py  one folder: is it there, and what is due of it
watch_run.py     the loop: what is due → a push, again and again
totals.py        the numbers of all pushes together
"""

"""plan → fetch → place. In the order of the data:

events.py    what happens in a pull, as values
contents.py  which contents are wanted, and the names of their files
lock.py      one pull at a time, and what its file says after a machine went down
folder.py    the folder that files are pulled into: what is there, and how a file gets its name
file_system.py  what depends on it: names that replace nothing, links, syncfs
sources.py   the destinations that objects are read from
ranges.py    a large object, in ranges that outlive the process
memory.py    how many bytes of bodies may be in memory
fetcher.py   one content: its bytes, checked
placing.py   files get their names, some at a time, in a thread
pipeline.py  the supervisor: the plan, and the contents that are fetched at the same time
counts.py    the numbers of a pull
"""

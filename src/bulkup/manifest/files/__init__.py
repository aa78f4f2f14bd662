"""The files of this machine, as they were last seen.

scans.py         roots, folders and assets, as a scan finds them
scan_rows.py     what a scan gives to the manifest, and gets back
mounts.py        file systems that were mounted below roots
unchanged_files.py  those that are as they were: what is left to do for them
absent_files.py  those that are missing, excluded or unreadable
sidecars.py      XMP files beside pictures
takeout.py       notes of Google Takeout, and albums
local_files.py   files, and the objects that hold them
"""

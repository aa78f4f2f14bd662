"""The scan: what the roots of a job hold, compared with the manifest. In the order of the data:

scan.py           the scan of a job, root by root
scan_root.py      the scan of one root: its listings, in chunks
recorder.py       one root in the manifest's thread: compare, record, what is missing
nested_roots.py   roots that lie in other roots of the push
takeout.py        JSON files of Google Takeout, joined with their pictures
rescan.py         the paths of a scan that looks again at what could not be read
"""

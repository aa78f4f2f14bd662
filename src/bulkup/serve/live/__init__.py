"""What changes: looked for once for all who ask.

aggregation.py  a value computed for all, cached, and served stale while it is recomputed
phases.py       Uploading, Processing, Searchable (pure)
overview.py     `status --json` and the phases
alerts.py       which ends of runs are worth an alert (pure)
hub.py          events for those who listen
"""

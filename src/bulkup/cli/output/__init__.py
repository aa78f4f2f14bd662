"""Output for people and programs.

text.py       escaping, numbers
table.py      tables that fit the terminal
failures.py   failed files, grouped by cause
last_run.py   how the last batch ended
nothing.py    why there is nothing to show
progress.py   snapshots to bars
summary.py    the summary at the end of a run
plan.py       what a dry run says beside it
pull_summary.py  … of a pull
rows.py       rows as JSON or CSV
json_log.py   events as JSON lines: --json, --log-file
"""

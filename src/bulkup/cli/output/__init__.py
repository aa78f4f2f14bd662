"""Output for people and programs.

text.py       escaping, numbers
table.py      tables that fit the terminal
failures.py   failed files, grouped by cause
last_run.py   how the last batch ended
nothing.py    why there is nothing to show
goodput.py    how fast a stage moves, and when it ends
bars.py       snapshots to bars, and to lines for a log
progress.py   the bars on the screen
summary.py    the summary at the end of a run
plan.py       what a dry run says beside it
pull_summary.py  … of a pull
rows.py       rows as JSON or CSV
json_log.py   events as JSON lines: --json, --log-file
"""

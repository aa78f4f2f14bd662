"""The command line: the only package that knows typer and rich.

app.py             the program: global options, errors turned into exit codes
commands.py        the commands by name, each imported when it is needed
shared_options.py  global options; flags made from the table of settings
run_options.py     the settings whose flags several commands take
run_command.py     runs a command to its end: events, signals, exit code
push.py … forget.py one file per verb: its options, and its output
dry_run.py         push --dry-run
output/            text, tables, bars, JSON
contact_sheet/     search --html

The garbage collector runs less often from here on, because imports create a hundred thousand
objects that stay: scanning them again and again would take a tenth of each start. The tuples that
a run creates per file are in no cycles either.
"""

import gc

gc.set_threshold(150_000, 20, 50)

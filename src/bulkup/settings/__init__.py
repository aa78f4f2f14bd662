"""Settings: flags > environment > bulkup.toml > defaults, as one frozen value.

durations.py      durations, ages and dates: the one parser of them
parsing.py        what values a setting may have, and how text becomes one
setting.py        one setting: its key, variables, flag, default and help
stage_options.py  ProcessOptions, EmbedOptions
options.py        UploadOptions, RunOptions
table.py          Settings: all of them in groups, and the table of all settings
load.py           from flags, environment and file to Settings
"""

"""Settings: flags > environment > bulkup.toml > defaults, as one frozen value.

units.py          sizes, durations, ages and dates
parsing.py        the values of settings, and how they are parsed
setting.py        one setting: its key, variables, flag, default and help
stage_options.py  ProcessOptions, EmbedOptions
named_destinations.py  names for destinations: --to nas:
copy_options.py   ManifestCopyOptions
serve_options.py  ServeOptions
watch_options.py  WatchOptions
options.py        UploadOptions, RunOptions
table.py          Settings: all options in groups, and the table of all settings
trust.py          which settings files are the user's own, and allowed
toml_file.py      bulkup.toml: its values, profiles and names for destinations
load.py           flags, environment and file to Settings
"""

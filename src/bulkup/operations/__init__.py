"""What each verb does. `cli/x.py` parses, `operations/x.py` does, `manifest/` remembers.

push               one push, and its run
status             where everything stands, as JSON
destination/       where a push goes, what shares its prefix, and what lies there (ls, du)
dry_run            what a push would do: the same run, over a copy of the manifest
resume             interrupted batches
retry              failed items
accept             failures that are known
stages             process and embed
pull               files back from their destinations
free               local files that may be erased
verify             the manifest against a destination
restore            a lost manifest from its copy at a destination
rebuild            a lost manifest from a destination
clean              garbage
checks/            what verify, rebuild and clean look at
merge              manifests of other machines
forget             a destination or root, in the manifest only
doctor             checks of this machine, the manifest and destinations
pictures/          searches, models, albums, examples, thumbnails, and what pictures need
"""

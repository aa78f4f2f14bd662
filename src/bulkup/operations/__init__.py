"""What each verb does. `cli/x.py` parses, `operations/x.py` does, `manifest/` remembers.

push               one push, and its run
destination/       where a push goes, at which endpoint, and what shares its prefix
dry_run            what a push would do: the same run, over a copy of the manifest
resume             interrupted batches
retry              failed items
stages             process and embed
pull               files back from their destinations
listing            what a destination itself holds: ls and du
free               local files that may be erased
verify             the manifest against a destination …
verify_checks      … the checks of one object, and the sample that is read
restore            a lost manifest from its copy at a destination
rebuild            a lost manifest from a destination
read_session       access to a destination for verify and rebuild
clean              garbage
copies/            copies of the manifest, for verify and clean
forget             a destination or root, in the manifest only
models             models: listed, added from a folder, removed
doctor             checks of this machine, the manifest and destinations …
doctor_pictures    … and of what pictures need
albums             albums by name, for pull and search
search             by words, by example, for near-duplicates …
search_example     … vectors that the manifest does not have
thumbnails         … thumbnails for the contact sheet
"""

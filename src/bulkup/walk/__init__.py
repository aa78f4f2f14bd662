"""The walk: a root's files, folder by folder, selected by rules.

roots             the paths that the user names
filters           which files are taken, by name, size and date
listing           what a walk yields
walk              a directory's listings
folder_files      one folder's files, judged one by one
at_rest           whether a file is complete, or still being written
archive_members   a ZIP archive's listings
files_from        listings of the files that a list names
listing_groups    listings that are recorded together
changed_paths     the parts of a root that a watcher names
file_events       what changes below a watched folder
own_files         bulkup's own files, which are left out
mounts            file systems that are mounted below a folder
copy_names        names of copies, which are read last
diff              a listing compared with what was recorded
"""

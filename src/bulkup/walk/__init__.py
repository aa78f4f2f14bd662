"""The walk: a root's files, folder by folder, selected by rules.

roots             the paths that the user names
filters           which files are taken, by name, size and date
listing           what a walk yields
walk              a directory's listings
folder_files      one folder's files, judged one by one
archive_members   a ZIP archive's listings
files_from        listings of the files that a list names
diff              a listing compared with what was recorded
"""

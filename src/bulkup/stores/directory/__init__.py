"""Objects as files below a directory.

store          the store: which work is done in which thread
files          one file: written whole, linked or renamed to its place
open_file      a file that is read, closed also when its reader is cancelled
part_files     parts of large objects
root           the directory itself: there, still the same one, and the folders below it
"""

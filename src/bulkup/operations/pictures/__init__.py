"""What verbs need of pictures.

albums.py      albums by name, for pull and search
example.py     vectors that the manifest does not have, for search
thumbnails.py  thumbnails for the contact sheet of search
doctor.py      what pictures need, for doctor
"""

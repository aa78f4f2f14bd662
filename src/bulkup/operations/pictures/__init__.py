"""What verbs need of pictures.

search.py          by words, by example, for near-duplicates
kept_pictures.py   what searches read, kept for the next one
matrices.py        labels of embedders; vectors, and what a classifier saw, of all pictures
search_request.py  what a search asks for, and the pictures that answer it
albums.py          albums by name, for pull and search
example.py         vectors that the manifest does not have, for search
thumbnails.py      thumbnails for the contact sheet of search
models.py          models: listed, added, removed
doctor.py          what pictures need, for doctor
"""

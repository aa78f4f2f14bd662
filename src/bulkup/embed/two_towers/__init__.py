"""Models that drop in as folders: two encoders, or one and a list of labels.

recipes     models known by name
hub         their files, downloaded
folder      the folder and its card
labels      the labels of a model that names what it sees
encoder     a network of the folder, and pictures for it
embedder    the embedder of two encoders, for pictures and for words …
classifier  … and that of one that has labels
one_thread  the thread that they, and clip, work in
"""

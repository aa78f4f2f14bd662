"""Models that drop in: two encoders, for pictures and for words, in a folder.

recipes     models known by name
hub         their files, downloaded
folder      the folder and its card
embedder    its embedder
one_thread  the thread that it, and clip, work in
"""

"""Models that drop in: two encoders, for pictures and for words, in a folder.

folder      the folder and its card
embedder    its embedder
one_thread  the thread that it, and clip, work in
"""

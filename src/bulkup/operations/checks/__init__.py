"""What verbs check at a destination.

session.py     access to a destination, for verify and rebuild
objects.py     the checks of one object, and the sample that is read
copies.py      the copies of the manifest, for verify
old_copies.py  … and those that clean removes
engine.py      the workers of a cluster, for `doctor --engine`
"""

"""Copies of the manifest at a destination, for the verbs that check and remove objects.

verify.py  the copies that this manifest sent
clean.py   old copies, of any manifest
"""

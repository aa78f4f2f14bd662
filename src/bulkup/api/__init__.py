"""The verbs of bulkup for Python, which the command line is built on.

options       options as keyword arguments, and the settings they make
runs          carries out a run: manifest, context, metrics file, webhook
verification  verifies several destinations
"""

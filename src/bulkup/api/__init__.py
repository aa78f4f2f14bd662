"""The verbs of bulkup for Python, which the command line is built on.

runs       carries out a run: manifest, context, metrics file, webhook
"""

"""Bodies of responses.

ranges.py      range requests (pure)
byte_cache.py  small bodies that were used lately
answers.py     answers of the manifest that hold until it changes
"""

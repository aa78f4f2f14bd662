"""What the gallery of `bulkup serve` reads.

timeline     the pictures in the order of their dates, filled by the server
pages        pages of the timeline
file_pages   pages of files
"""

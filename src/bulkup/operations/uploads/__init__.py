"""Uploads by clients that have no keys of the bucket: what the routes of `bulkup serve` do.

destination    where uploads go, and its open store
announcement   what a client says of a file before it sends it
broker         reserves a key, hands out URLs, gives up
own_urls       URLs of the server's own, for a directory as destination
completion     the object is checked and recorded
expiry         what nobody completes is given up
doctor         whether clients can upload
"""

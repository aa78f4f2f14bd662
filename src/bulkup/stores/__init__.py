"""Where objects are kept: an S3 bucket, or a directory.

urls           a destination's URL, parsed and canonical
open           from a URL to its store
aws_config     what the AWS files say of endpoints, regions and addressing
store          what every store does; the contract
keys           the key of a file
key_templates  keys by date, camera, name
attributes     what an object carries beside its bytes
put_once       one content into one object, which replaces none
unsent         what a connection has not got acknowledged
signed_store   single objects by signed URLs, without credentials
listing_pages  a listing page by page, to its end
look_first     exclusive writes where the endpoint has none
directory/     objects as files
s3/            objects in a bucket
broker/        objects at a `bulkup serve`
"""

"""Objects in an S3 bucket, without an SDK in the data path.

store              the store's methods as S3 operations
reads              those that look, read and list
multipart          those for parts
capabilities       what an endpoint supports, by its first object
headers            attributes as headers
xml                S3's documents
errors             what a refusal means
transport          one signed request, sent once more where that can help
session            credentials, region and address in use; their renewal
credentials        where they come from
endpoint           the address of a bucket
sigv4              signatures
request_signer     requests signed in another process
signed_urls/       URLs by which others reach single objects
connections/       by what it is sent: the pool, else pyreqwest; trusted authorities
http1              requests and responses as bytes
reqwest_client     all other requests
bodies             their bodies, in steps and at a bandwidth
"""

"""Which destination is meant.

push_target        where a push goes
endpoints          at which endpoint a bucket is
shared_prefix      destinations that overlap
"""

"""Which destination is meant, and what lies there.

push_target        where a push goes
endpoints          at which endpoint a bucket is
shared_prefix      destinations that overlap
listing            what a destination itself holds: ls and du
"""

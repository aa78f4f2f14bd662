"""Which destination is meant, and what lies there.

push_target        where a push goes
chosen             which of the known ones verify, free and ls are about
endpoints          at which endpoint a bucket is
shared_prefix      destinations that overlap
listing            what a destination itself holds: ls and du
"""

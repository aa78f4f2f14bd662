"""Real S3 servers for tests and benchmarks: on 127.0.0.1, state in a directory of their own.

`moto` needs only Python packages. `ceph` (a real gateway) and `front` (nginx that drops, counts
and fails on demand) need Debian packages and install them when they may. `relay` is the network
between.
"""

"""Small requests in the event loop's own thread.

pool          the connections to one host
connection    one of them
tls           trusted authorities, for all connections
"""

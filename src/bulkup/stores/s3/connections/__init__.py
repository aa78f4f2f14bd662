"""By what requests are sent; small ones in the event loop's own thread.

clients       the pool, and pyreqwest for all else, at the present address
pool          the connections to one host
connection    one of them
tls           trusted authorities, for all connections
"""

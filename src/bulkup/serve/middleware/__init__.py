"""Pure ASGI middleware, from the outside in: responses pass through unbuffered.

responses.py    headers of every response; errors become responses
hosts.py        refuses foreign Host and Origin headers
authentication.py  finds out who asks
"""

"""The server: a gallery, an API and uploads, over the same manifest. The only package that knows
starlette, uvicorn and jinja2.

app.py         the ASGI application: middleware around the routes
server.py      uvicorn: sockets, limits of connections, shutdown
context.py     what all requests share
manifest_threads.py  threads with manifests of their own
tokens.py      tokens: added, revoked, looked up
identity.py    who asks: tokens and cookies
access.py      what a route asks of a request: role, rate, size of the body
rate_limits.py token buckets by token, and their headers
problems.py    errors as problem details (RFC 9457)
middleware/    what is done with every request
routes/        /api/v1, a module a subject
"""

"""The server: a gallery, an API and uploads, over the same manifest. The only package that knows
starlette, uvicorn and jinja2.

app.py            the ASGI application: middleware around the routes
server.py         uvicorn: the socket, limits of connections, the end
context.py        what all requests share
manifest_threads.py  threads with manifests of their own
stores.py         the destinations, opened when they are first asked
tokens.py         tokens: added, revoked, looked up
identity.py       who asks: tokens and cookies
access.py         what a route asks of a request: role, rate, size of the body
rate_limits.py    token buckets by token, and their headers
problems.py       errors as problem details (RFC 9457)
documents.py      JSON responses
live/             what changes: counts, phases, events
searches.py       searches as requests ask for them
child_runs.py     runs that the server starts
worker.py         --work: starts process and embed when they are due
watching.py       --work: keeps a watch of the folders of the settings at work
bodies/           parts of bodies, and small ones in memory
middleware/       what is done with every request
routes/           /api/v1, a module a subject
pages/            what browsers show
"""

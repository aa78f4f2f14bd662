"""The verbs as async functions for your own event loop: `await bulkup.aio.push("photos")`.

Each has the arguments and the result of the function of the same name in `bulkup`. A task that is
cancelled ends its run in order first, as Ctrl-C does. The manifest is read and written in the
loop's thread, in steps of a few milliseconds.
"""

from bulkup.api.aio import embed, process, pull, push, resume, retry, search, status, verify

__all__ = ["embed", "process", "pull", "push", "resume", "retry", "search", "status", "verify"]

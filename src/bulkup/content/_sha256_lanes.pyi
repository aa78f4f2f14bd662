from collections.abc import Iterable

from bulkup.model import Body, Digest

def hexdigests(contents: Iterable[Body], /) -> list[Digest]:
    """The SHA-256 of each content in hexadecimal, in order; other threads run meanwhile."""

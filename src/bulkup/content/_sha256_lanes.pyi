from collections.abc import Iterable

from bulkup.model import Body

def hexdigests(contents: Iterable[Body], /) -> list[str]:
    """The SHA-256 of each content in hexadecimal, in order; other threads run meanwhile."""

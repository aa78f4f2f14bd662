"""How many files this process may have open, and whether that is enough."""

from __future__ import annotations

import resource

from bulkup.errors import TooFewDescriptors

LEAST = 64
"""For connections, files, pipes of workers and the manifest. With fewer, a run breaks somewhere in
the middle, and often in a library."""

_ENOUGH = 1024

_BESIDE = 96
"""For all that is no connection: files that are read, pipes of workers, the manifest, libraries."""


def ensure_descriptors() -> None:
    """Raise the limit as far as is useful and allowed. Raises TooFewDescriptors below the least."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or allowed >= _ENOUGH:
        return
    wanted = _ENOUGH if most == resource.RLIM_INFINITY else min(most, _ENOUGH)
    if wanted > allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    check_descriptors()


def check_descriptors() -> None:
    """Raise TooFewDescriptors if the limit is below the least."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < LEAST:
        raise TooFewDescriptors(
            f"only {allowed} open files are allowed; bulkup needs at least {LEAST}",
            hint=f"Raise the limit: ulimit -n {_ENOUGH}",
        )


def most_connections() -> int:
    """How many connections may be open at a time, each a descriptor: 160 of 256."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        allowed = _ENOUGH
    return max(allowed - _BESIDE, allowed // 4)

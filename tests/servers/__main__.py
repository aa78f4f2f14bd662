"""Installs the Debian packages of all servers in one go: python -m tests.servers install."""

from __future__ import annotations

import sys

from tests.servers import ceph, chromium, front, packages


def main() -> int:
    """What people type; see the top of this file."""
    if sys.argv[1:] != ["install"]:
        sys.stderr.write("usage: python -m tests.servers install\n")
        return 2
    try:
        packages.install({**ceph.NEEDED, **front.NEEDED, **chromium.NEEDED})
    except packages.PackagesMissing as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

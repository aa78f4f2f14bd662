"""Installs the Debian packages of all servers in one go: python -m tests.servers install."""

from __future__ import annotations

import sys

from tests.servers import ceph, chromium, front, packages

if __name__ == "__main__":
    needed = {**ceph.NEEDED, **front.NEEDED, **chromium.NEEDED}
    sys.exit(packages.install_command("tests.servers", needed))

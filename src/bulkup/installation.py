"""How this installation gets another package: the command for pip, pipx or uv.

bulkup's own name is never looked up in a package index: the packages of an extra are named.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from shlex import quote


def extra_command(extra: str, prefix: str = sys.prefix) -> str:
    """The command that installs what an extra of bulkup needs into the environment `prefix`."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        found = requires("bulkup") or []
    except PackageNotFoundError:  # run from a source tree
        found = []
    marker = re.compile(rf"""extra == ["']{extra}["']""")
    packages = [one.partition(";")[0].strip() for one in found if marker.search(one)]
    if not packages:
        return f"the packages of the extra {extra}, named in pyproject.toml"
    return install_command(*packages, prefix=prefix)


def install_command(*packages: str, again: bool = False, prefix: str = sys.prefix) -> str:
    """The command that installs the packages into the environment `prefix`; `again` replaces what
    is there."""
    wanted = " ".join(map(quote, packages))
    root, python = Path(prefix), quote(f"{prefix}/bin/python")
    if sys.platform == "win32":
        python = quote(f"{prefix}\\Scripts\\python.exe")
    if (root / "pipx_metadata.json").exists():
        return f"pipx inject {'--force ' * again}{quote(root.name)} {wanted}"
    if (root / "uv-receipt.toml").exists() or _is_made_by_uv(root):
        return f"uv pip install {'--reinstall ' * again}--python {python} {wanted}"
    return f"{python} -m pip install {'--force-reinstall ' * again}{wanted}"


def _is_made_by_uv(root: Path) -> bool:
    """Whether `uv venv` made the environment: it has no pip."""
    try:
        return any(
            line.startswith("uv =") for line in (root / "pyvenv.cfg").read_text().splitlines()
        )
    except OSError:
        return False

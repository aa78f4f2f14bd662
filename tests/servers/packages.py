"""Debian packages that the real servers need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
POLICY = Path("/usr/sbin/policy-rc.d")  # exit 101 here: packages do not start their services


class PackagesMissing(Exception):
    """The servers' packages are not installed and cannot be installed from here."""


def program(name: str) -> str:
    """The full path of a program, /usr/sbin included. Raises PackagesMissing."""
    found = shutil.which(name, path=SEARCHED)
    if found is None:
        raise PackagesMissing(f"{name} is not installed: run `make test-ceph` as root")
    return found


def missing(needed: Mapping[str, str]) -> list[str]:
    """The packages to install; `needed` maps a program's name or a file's path to its package."""
    return sorted(
        {
            package
            for what, package in needed.items()
            if not (Path(what).exists() if what[0] == "/" else shutil.which(what, path=SEARCHED))
        }
    )


def install_command(module: str, needed: Mapping[str, str]) -> int:
    """`python -m MODULE install`: its exit code."""
    if sys.argv[1:] != ["install"]:
        sys.stderr.write(f"usage: python -m {module} install\n")
        return 2
    try:
        install(needed)
    except PackagesMissing as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


def install(needed: Mapping[str, str]) -> None:
    """Install what is missing with apt-get, as root or with sudo. Raises PackagesMissing."""
    packages = missing(needed)
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise PackagesMissing(f"no apt-get here; install by hand: {' '.join(packages)}")
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if sudo and shutil.which("sudo") is None:
        raise PackagesMissing(
            f"not root and no sudo; as root: apt-get install {' '.join(packages)}"
        )
    sys.stderr.write(f"installing: {' '.join(packages)}\n")
    held_back = not POLICY.exists()
    try:
        if held_back:
            script = b"#!/bin/sh\nexit 101\n"
            subprocess.run([*sudo, "tee", POLICY], input=script, stdout=sys.stderr, check=True)
            subprocess.run([*sudo, "chmod", "755", POLICY], check=True)
        apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]
        options = ["--yes", "--no-install-recommends"]
        for command in ([*apt, "update"], [*apt, "install", *options, *packages]):
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
    except subprocess.CalledProcessError as exc:
        raise PackagesMissing(f"could not install {' '.join(packages)}: {exc}") from exc
    finally:
        if held_back:
            subprocess.run([*sudo, "rm", "--force", POLICY], check=False)

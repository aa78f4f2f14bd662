"""What packages, images and workflows name is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_targets_that_there_are(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text("utf-8"))
    assert document["permissions"] == {"contents": "read"}
    steps = [step for job in document["jobs"].values() for step in job["steps"]]
    commands = [step["run"].split() for step in steps if "run" in step]
    assert commands
    assert all(command[0] == "make" and command[1] in TARGETS for command in commands)
    assert all("persist-credentials" in step["with"] for step in steps if "checkout" in str(step))


def test_the_help_of_make_fits_a_terminal_and_names_targets_that_there_are() -> None:
    asked = ["make", "--no-print-directory", "help"]
    said = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, check=True, text=True)
    lines = said.stdout.splitlines()
    assert max(map(len, lines)) < 80
    named = {line.split()[1] for line in lines if line.startswith("make ")}
    assert named <= TARGETS


def test_every_python_that_is_named_has_wheels_and_a_job() -> None:
    named = {
        line.rpartition(" ")[2].replace(".", "")
        for line in PROJECT["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    }
    assert {f"cp{version}-*" for version in named} == set(PROJECT["tool"]["cibuildwheel"]["build"])
    ci = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text("utf-8"))
    matrix = ci["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    assert {version.replace(".", "") for version in matrix} == named


def test_shared_files_of_the_package_are_there() -> None:
    files = [
        file for files in PROJECT["tool"]["setuptools"]["data-files"].values() for file in files
    ]
    assert len(files) == 4
    assert [file for file in files if not (REPOSITORY / file).is_file()] == []


def test_the_image_has_two_stages_no_root_and_a_health_check() -> None:
    stages = re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .* CMD ", last, re.MULTILINE)
    assert "gcc" not in last
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for name in " ".join(copied).split():
        assert (REPOSITORY / name).exists()
        assert f"!{name}" in ignored


def test_the_sites_contents_are_complete(tmp_path: Path) -> None:
    """Every page has its place in the navigation, and its links lead to pages of the site."""
    script = REPOSITORY / "docs" / "build_site.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    listed = set(re.findall(r"[\w/-]+\.md", (REPOSITORY / "mkdocs.yml").read_text("utf-8")))
    pages = {str(page.relative_to(tmp_path)) for page in tmp_path.rglob("*.md")}
    assert {page for page in pages if not page.startswith("decisions/0")} == listed - {"0*.md"}
    for page in tmp_path.rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert "://" in target or (page.parent / target).is_file(), (page, target)

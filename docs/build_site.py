#!/usr/bin/env python3
"""Put the pages of the site together, for mkdocs (make docs).

    python docs/build_site.py PAGES

PAGES gets docs/*.md, the README as index.md, the changelog, pictures, and every other file of the
repository that a page links to, as text. Links are rewritten accordingly; one that leads nowhere is
an error.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


def place_of(file: Path) -> Path:
    """Where a file of the repository is in the site."""
    if file == REPOSITORY / "README.md":
        return Path("index.md")
    if file == DOCS / "decisions":
        return Path("decisions/index.md")
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS)
    return file.relative_to(REPOSITORY)


def rewrite(page: Path, linked: set[Path]) -> str:
    """The page's text with the links of the site; adds the files that it links to."""

    def link(found: re.Match[str]) -> str:
        before, target, after = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        file = Path(os.path.normpath(page.parent / target))
        if not file.exists():
            raise SystemExit(f"{page}: {target} is not there")
        linked.add(file)
        start = place_of(page).parent
        return f"{before}{os.path.relpath(place_of(file), start)}{after}"

    return LINK.sub(link, page.read_text("utf-8"))


def index_of_decisions() -> str:
    """A page that lists the decisions."""
    lines = ["# Decisions", ""]
    for page in sorted((DOCS / "decisions").glob("*.md")):
        title = page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({page.name})")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite all pages."""
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    pages = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
    linked: set[Path] = set()
    for page in pages:
        path = out / place_of(page)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rewrite(page, linked), "utf-8")
    (out / "decisions" / "index.md").write_text(index_of_decisions(), "utf-8")
    for file in linked - set(pages):
        if file.is_file():
            path = out / place_of(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, path)


if __name__ == "__main__":
    main()

"""What usually stands beside each class in a photograph, as context.txt says."""

from __future__ import annotations

from pathlib import Path

CLASSES = 1000


def contexts(path: Path) -> list[list[str]]:
    """The words of each class, in the order of the file, each once.

    A line has class numbers and ranges, a colon and words: "1,392-393: aquarium coral reef".
    """
    found: list[dict[str, None]] = [{} for _ in range(CLASSES)]
    for line in path.read_text("ascii").splitlines():
        if not line or line.startswith("#"):
            continue
        ids, said = line.split(":", 1)
        for part in ids.split(","):
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                found[number].update(dict.fromkeys(said.split()))
    return [list(words) for words in found]

"""Scores of hits on one scale, 0 to 1, that is shown as 0 to 100 %.

    no word found literally     0.8 x meaning / 1.2, so that 0.8 is a picture that shows nothing
                                but what the words name
    k of n words or dates       0.8 + 0.2 x (k - 1 + the share of the meaning) / n

So a word that stands in a name or keyword comes before any guess about what is seen, and among
equals the meaning decides.

A meaning is compared with chance: of 3,000 words of the table, drawn at random, and 54 photos, the
middle pair reaches 1 %, one pair in 10 reaches 11 %, one in 100 reaches 21 %, one in 1,000 reaches
31 %. Below WEAK a hit may as well be chance.
"""

from __future__ import annotations

from typing import Final

LITERAL_SHARE: Final = 0.8
WEAK: Final = 0.25

_FULL_MEANING: Final = 1.2  # of text_scores: the cosine is 1, and the classes are what is named


def hit_score(meaning: float, matched: int, terms: int, *, full: float = _FULL_MEANING) -> float:
    """The score of a hit; `matched` of `terms` stand literally in its description.

    `full` is the meaning that counts as certain; 1 for cosines.
    """
    share = min(max(meaning / full, 0.0), 1.0)
    if matched == 0:
        return LITERAL_SHARE * share
    return LITERAL_SHARE + (1 - LITERAL_SHARE) * (matched - 1 + share) / max(terms, matched)

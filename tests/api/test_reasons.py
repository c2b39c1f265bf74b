"""Every reason has a word and a sentence."""

from __future__ import annotations

import re

from merit.api.reasons import REASONS


def test_every_reason_has_a_word_and_a_sentence() -> None:
    for word, reason in REASONS.items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", word)
        assert reason.sentence
    assert REASONS["BelowBar"].remedy

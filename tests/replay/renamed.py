"""Words that were renamed since the recording: it keeps the old ones.

What `decide` gets and what is expected of it are translated to the new ones. Only whole words are
replaced, never parts of one.
"""

from __future__ import annotations

from typing import Any

FIELDS = {"verifying": "comparison"}  # of status
WORDS = {"Verifying": "Comparing"}  # reasons, phases, stages
SENTENCES = {  # parts of sentences that are kept in status and compared with new ones there
    " is earning traffic": " is being rolled out",
}
DATA = frozenset({"applied", "lastHandled", "tokens"})  # maps whose keys are data, not fields
DECLARED = frozenset({"effective"})  # in the words of spec, which were not renamed


def renamed(recorded: Any) -> Any:
    """The same in the new words, in depth."""
    if isinstance(recorded, dict):
        return {FIELDS.get(key, key): _below(key, value) for key, value in recorded.items()}
    if isinstance(recorded, list):
        return [renamed(value) for value in recorded]
    return _word(recorded) if isinstance(recorded, str) else recorded


def _word(text: str) -> str:
    for old, new in SENTENCES.items():
        text = text.replace(old, new)
    return WORDS.get(text, text)


def _below(key: str, value: Any) -> Any:
    if key in DATA and isinstance(value, dict):
        return {name: renamed(each) for name, each in value.items()}
    return value if key in DECLARED else renamed(value)

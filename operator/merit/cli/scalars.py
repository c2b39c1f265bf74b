"""Plain scalars as kubectl and the API server read them: `6063e25` is a number, `1:20` is none.

Theirs is Go's yaml v2, whose rules are neither those of YAML 1.1 nor of 1.2.
"""

from __future__ import annotations

import math
import re

_SPELLED: tuple[tuple[bool | float | None, str], ...] = (
    (None, " ~ null Null NULL"),
    (True, "y Y yes Yes YES true True TRUE on On ON"),
    (False, "n N no No NO false False FALSE off Off OFF"),
    (math.nan, ".nan .NaN .NAN"),
    (math.inf, ".inf .Inf .INF +.inf +.Inf +.INF"),
    (-math.inf, "-.inf -.Inf -.INF"),
)
_WORDS = {word: value for value, words in _SPELLED for word in words.split(" ")}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LEAST, _MOST, _UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1


def plain(text: str) -> bool | int | float | str | None:
    """The value of a scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":  # here "_" must stand between two digits
        digits = re.sub("(?<=[0-9])_(?=[0-9])", "", text)
    elif text[0] in "+-0123456789":
        digits = text.replace("_", "")
        if _INTEGER.fullmatch(digits):
            octal = re.fullmatch(r"[-+]?0[0-7]+", digits)
            number = int(digits, 8 if octal else 0)
            if _LEAST <= number <= _MOST:
                return number
            if number <= _UNSIGNED and digits[0] not in "+-":
                return float(number)  # the API server has no larger integers
    else:
        return text
    if _FLOAT.fullmatch(digits) and not math.isinf(float(digits)):
        return float(digits)
    return text


def as_key(value: object) -> object:
    """A key as JSON has it: a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value

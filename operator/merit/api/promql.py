"""A user's PromQL query: its length and obvious mistakes are checked, not its grammar."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from merit.api.quantity import InvalidValue, shown

MAX_LENGTH = 1024
_PAIRS = {")": "(", "]": "[", "}": "{"}
_ONE_LINE = r"^[^\x00-\x1f\x7f]+$"


def check_query(text: str) -> str:
    """The query itself. Raises InvalidValue if it cannot return one number."""
    bare, brackets = [], []
    quote = ""
    escaped = False
    for character in text:
        if quote:
            if escaped:
                escaped = False
            elif character == "\\" and quote != "`":
                escaped = True
            elif character == quote:
                quote = ""
            continue
        bare.append(character)
        if character in "\"'`":
            quote = character
        elif character in "([{":
            brackets.append(character)
        elif character in _PAIRS and (not brackets or brackets.pop() != _PAIRS[character]):
            raise InvalidValue(f'"{character}" has no opening bracket', "balance the brackets")
    if quote or brackets:
        raise InvalidValue(f'"{shown(text)}" ends inside {quote or brackets[-1]}', "close it")
    _one_number("".join(bare).strip(), text)
    return text


def _one_number(bare: str, text: str) -> None:
    if not re.search(r"[a-zA-Z_:]", bare):
        raise InvalidValue(f'"{shown(text)}" names no metric', "name a metric, as sum(rate(x[5m]))")
    if bare.endswith("]"):
        remedy = "take a rate of it, as sum(rate(x[5m]))"
        raise InvalidValue(f'"{shown(text)}" is a range, not a number', remedy)
    if "__name__" in bare:
        raise InvalidValue("selects metrics by __name__", "name the metric")


Query = Annotated[
    str,
    StringConstraints(pattern=_ONE_LINE, max_length=MAX_LENGTH),
    AfterValidator(check_query),
]

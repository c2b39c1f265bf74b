"""A user's query: bounded text, checked for nonsense. The grammar is Prometheus' own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from merit.api.quantity import Refused, shown

LONGEST = 1024
_PAIRS = {")": "(", "]": "[", "}": "{"}
_ONE_LINE = r"^[^\x00-\x1f\x7f]+$"


def check_query(text: str) -> str:
    """The query itself. Raises Refused for what no Prometheus could answer with one number."""
    bare, open_ = [], []
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
            open_.append(character)
        elif character in _PAIRS and (not open_ or open_.pop() != _PAIRS[character]):
            raise Refused(f'"{character}" closes nothing', "balance the brackets")
    if quote or open_:
        raise Refused(f'"{shown(text)}" ends inside {quote or open_[-1]}', "close it")
    _one_number("".join(bare).strip(), text)
    return text


def _one_number(bare: str, text: str) -> None:
    if not re.search(r"[a-zA-Z_:]", bare):
        raise Refused(f'"{shown(text)}" asks for nothing', "name a metric, as sum(rate(x[5m]))")
    if bare.endswith("]"):
        remedy = "take a rate of it, as sum(rate(x[5m]))"
        raise Refused(f'"{shown(text)}" is a range, not a number', remedy)
    if "__name__" in bare:
        raise Refused("chooses metrics by a pattern", "name the metric")


Query = Annotated[
    str,
    StringConstraints(pattern=_ONE_LINE, max_length=LONGEST),
    AfterValidator(check_query),
]

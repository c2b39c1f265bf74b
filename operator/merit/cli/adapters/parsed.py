"""The content of a framework's file, and helpers to read it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from merit.policy.gates.strict_json import MAX_INT, Refusal, malformed, no_duplicates, plain

_OTHER = re.compile(r"[^A-Za-z0-9_.,:/=@ -]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The parsed file. `tree`: for the pointers in `from`. Others: parts of the report."""

    tree: Any
    metrics: Mapping[str, Any]
    slices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


def read_json(raw: bytes) -> dict[str, Any]:
    """One JSON object as frameworks write it; NaN and Infinity, which Python writes, become None.

    Raises Refusal.
    """
    try:
        tree = json.loads(
            raw.decode(), parse_constant=lambda _: None, object_pairs_hook=no_duplicates
        )
    except UnicodeDecodeError as error:
        raise malformed(f"the file is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise malformed(f"the file is not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise malformed("the file is nested too deep") from None
    if not isinstance(tree, dict):
        raise malformed("the file is not a JSON object")
    return tree


def section(tree: Mapping[str, Any], key: str, framework: str) -> Mapping[str, Any]:
    """An object that every file of this framework has. Raises Refusal if it is missing."""
    value = tree.get(key)
    if not isinstance(value, dict):
        raise malformed(f'the file is not from {framework}: it has no object "{key}"')
    return value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether the value is a number that a report may contain."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and (isinstance(value, float) or abs(value) <= MAX_INT)


def as_count(value: object) -> int | None:
    """The value as a count, also if it is written as 13.0; None if it is not one."""
    if not is_number(value) or value != int(value) or value < 0:
        return None
    return int(value)


def share(value: Any, n: int | None) -> Any:
    """A share of n things as k of n, which has exact bounds; as v and n if it is not k / n."""
    if is_number(value) and n:
        k = round(value * n)
        if 0 <= k <= n and abs(k / n - value) < 1e-9:
            return {"k": k, "n": n}
    return with_n(value, n)


def with_n(value: Any, n: int | None) -> Any:
    """A number with the size of its sample, if that is known; None if it is not a number."""
    if not is_number(value):
        return None
    return {"v": value, "n": n} if n else value


def unique(names: Mapping[str, Any], name: str) -> str:
    """The name without what a report does not allow. Raises Refusal if there is one like it."""
    converted = _OTHER.sub("_", name)[:96]
    if converted in names:
        raise Refusal("Malformed", f'two things are called "{plain(converted, 96)}"')
    return converted

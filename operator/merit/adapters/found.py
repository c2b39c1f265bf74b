"""What an adapter finds in a framework's file, and how such a file is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from merit.policy.evaluation.strict import MAX_INT, Refusal, malformed, no_duplicates, plain

_OTHER = re.compile(r"[^A-Za-z0-9_.,:/=@ -]")


@dataclass(frozen=True, slots=True)
class Found:
    """`tree`: what `from` points into. `metrics`, `slices`, `rest`: the parts of a report."""

    tree: Any
    metrics: Mapping[str, Any]
    slices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


def read_json(raw: bytes) -> dict[str, Any]:
    """One JSON object as frameworks write it: NaN and Infinity, which Python writes, are absent.

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


def part(tree: Mapping[str, Any], key: str, framework: str) -> Mapping[str, Any]:
    """An object that every file of this framework has. Raises Refusal."""
    value = tree.get(key)
    if not isinstance(value, dict):
        raise malformed(f'the file is none of {framework}: it has no object "{key}"')
    return value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a report may carry it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and (isinstance(value, float) or abs(value) <= MAX_INT)


def whole(value: object) -> int | None:
    """A count, which frameworks also write as 13.0; None if it is none."""
    if not is_number(value) or value != int(value) or value < 0:
        return None
    return int(value)


def share(value: Any, n: int | None) -> Any:
    """A share of n things as k of n, which has exact bounds, if it is one; else v and n."""
    if not is_number(value):
        return None
    if not n:
        return value
    k = round(value * n)
    if 0 <= k <= n and abs(k / n - value) < 1e-9:
        return {"k": k, "n": n}
    return {"v": value, "n": n}


def fitting(name: str) -> str:
    """The name with other characters replaced, as a report may have it."""
    return _OTHER.sub("_", name)[:96]


def unique(names: Mapping[str, Any], name: str) -> str:
    """The fitting name, if nothing else was fitted to it. Raises Refusal."""
    fitted = fitting(name)
    if fitted in names:
        raise Refusal("Malformed", f'two things are called "{plain(fitted, 96)}"')
    return fitted

"""JSON Pointer, RFC 6901: a path that cannot execute anything, and escapes only `/` and `~`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.policy.evaluation.strict import Refusal, plain


def resolve(tree: Any, pointer: str) -> Any:
    """The value that the pointer leads to. Raises Refusal, which says where the way ends."""
    at, way = tree, ""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, Mapping) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isascii() and key.isdecimal() and int(key) < len(at):
            at = at[int(key)]
        else:
            there = ", ".join(list(map(str, at))[:8]) if isinstance(at, Mapping) else "no names"
            raise Refusal(
                "MetricMissing",
                f'nothing is at "{plain(pointer, 120)}": '
                f'"{plain(way, 80)}" has {plain(there, 200)}',
            )
        way += "/" + part
    return at

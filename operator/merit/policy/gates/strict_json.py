"""Strict reading of untrusted JSON: whatever is wrong with a report becomes one reason.

Parsing raises `Refusal` with one of `api.reasons`. The module that owns a format catches it, and
everything else that reading untrusted text can raise (`PARSE_ERRORS`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

LIMIT = 4096  # bytes: what the kubelet keeps of a termination message
MAX_DEPTH = 6
MAX_INT = 2**53
PARSE_ERRORS = (ValueError, RecursionError, TypeError, OverflowError, ArithmeticError, MemoryError)
_NAME = re.compile(r"^[A-Za-z0-9_.,:/=@ -]{1,96}\Z")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class Refusal(ValueError):
    """`reason`: one of `api.reasons`; the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def malformed(message: str) -> Refusal:
    """The refusal of text that does not have the form of a report."""
    return Refusal("Malformed", message)


def plain(text: str, limit: int = 256) -> str:
    """Untrusted text, fit to be shown: one line, no control characters, cut to `limit`."""
    return "".join(c if c.isprintable() else " " for c in text[: 4 * limit])[:limit].strip()


def read_object(text: str, *, what: str = "the report", limit: int = LIMIT) -> dict[str, Any]:
    """One JSON object: at most `limit` bytes, 6 levels, no key twice, finite numbers only.

    Raises Refusal, or one of `PARSE_ERRORS`.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > limit:
        raise Refusal("ReportTooLarge", f"{what} has {size:,} bytes, at most {limit:,} fit")
    try:
        return _object(text, what)
    except (Refusal, ValueError, RecursionError):
        if size == limit:  # the kubelet cut it off
            raise Refusal(
                "ReportTooLarge", f"{what} was cut at {limit:,} bytes: more do not fit"
            ) from None
        raise


def _object(text: str, what: str) -> dict[str, Any]:
    if text.startswith("\ufeff"):
        raise malformed(f"{what} begins with a byte order mark")
    if _deepest(text) > MAX_DEPTH:
        raise malformed(f"{what} is nested deeper than {MAX_DEPTH} levels")
    try:
        raw = json.loads(text, parse_constant=_no_constant, object_pairs_hook=no_duplicates)
    except json.JSONDecodeError as error:
        raise malformed(f"{what} is not JSON at character {error.pos}: {error.msg}") from None
    if not isinstance(raw, dict):
        raise malformed(f"{what} is not a JSON object")
    return raw


def _deepest(text: str) -> int:
    """Levels of nesting, counted before anything recurses."""
    level = deepest = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            level += 1
            deepest = max(deepest, level)
        elif token[0] in "]}":
            level -= 1
    return deepest


def _no_constant(name: str) -> Any:
    raise malformed(f"{name} is not a number")


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dict. Raises Refusal for a key that is there twice."""
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise malformed("a key is there twice")
    return keys


def object_with_keys(value: object, what: str, keys: frozenset[str]) -> Mapping[str, Any]:
    """The value as an object that has no other keys than these. Raises Refusal."""
    if not isinstance(value, dict):
        raise malformed(f"{what} is not an object")
    unknown = sorted(set(value) - keys)
    if unknown:
        raise malformed(f'{what} has an unknown key "{plain(unknown[0], 40)}"')
    return value


def object_of_names(value: object, what: str, most: int) -> Mapping[str, Any]:
    """The value as an object of at most `most` valid names. Raises Refusal."""
    if not isinstance(value, dict) or len(value) > most:
        raise malformed(f"{what} must be an object of at most {most} names")
    for name in value:
        if not is_name(name):
            raise malformed(f'"{plain(name, 40)}" is no name for {what}')
    return value


def is_name(text: str) -> bool:
    """Whether it is a valid name of a metric or a slice."""
    return bool(_NAME.match(text))


def string(value: object, what: str, limit: int) -> str:
    """Text of at most `limit` characters, fit to be shown. Raises Refusal."""
    if not isinstance(value, str) or len(value) > limit:
        raise malformed(f"{what} must be text of at most {limit} characters")
    return plain(value, limit)


def number(value: object, what: str) -> Decimal:
    """A finite number with the digits of a double; -0 is 0. Raises Refusal."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"{what} is not a number")
    if isinstance(value, int) and abs(value) > MAX_INT:
        raise malformed(f"{what} is too large a whole number")
    if not math.isfinite(value):
        raise malformed(f"{what} is not finite")
    return Decimal(repr(value)) if value else Decimal(0)


def count(value: object, what: str, least: int = 0) -> int:
    """A whole number from `least` to 2^53. Raises Refusal."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not isinstance(value, int) or not whole or not least <= value <= MAX_INT:
        raise malformed(f"{what} must be a whole number from {least}")
    return value

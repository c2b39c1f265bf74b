"""How the state of a test goes through JSON: decimal strings and instants, rounded before use.

Every number is rounded to the digits that are stored *before* it is used. So a test that was stored
and restored after every scrape gives the same result, bit for bit, as one that was never stored.
See docs/concepts/statistics.md, "What is stored".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any


def rounded(value: float, digits: int = 3) -> float:
    """The float that `text` would be read back as; never -0.0."""
    return round(value, digits) + 0.0


def text(value: float, digits: int = 3) -> str:
    """The shortest decimal string of a value that was rounded to so many digits."""
    if digits <= 4:  # beyond that a small number would be written with an exponent
        return f"{value:.15g}"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if value else "0"


def number(value: Any) -> float:
    """A finite number from a string or a number of status. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a number")
    result = float(value)
    if not math.isfinite(result):
        raise ValueError("not a finite number")
    return result


def packed(values: Sequence[float], digits: int = 3) -> str:
    """Rounded values as one string with spaces between: a third less than a list of strings."""
    return " ".join([text(value, digits) for value in values])


def unpacked(value: Any, length: int) -> list[float]:
    """What `packed` wrote: so many finite numbers. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a string of numbers")
    values = [float(part) for part in value.split()]
    if len(values) != length or not all(map(math.isfinite, values)):
        raise ValueError(f"not {length} finite numbers")
    return values


def format_instant(seconds: float | None) -> str:
    """Unix seconds as RFC 3339, `2026-11-23T01:02:00.000Z`; None as the empty string."""
    if seconds is None:
        return ""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_instant(value: Any) -> float | None:
    """What `format_instant` wrote, in Unix seconds. Raises ValueError or TypeError."""
    return datetime.fromisoformat(value).timestamp() if value else None

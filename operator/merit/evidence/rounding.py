"""How state goes through JSON: decimal strings, rounded before use, so restoring is exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    found = [float(part) for part in value.split()]
    if len(found) != length or not all(map(math.isfinite, found)):
        raise ValueError(f"not {length} finite numbers")
    return found

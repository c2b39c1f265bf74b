"""Durations, shares and decimals as users write them: strings, so that nothing is rounded."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

DURATION_PATTERN = r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+$"
SHARE_PATTERN = r"^(100(\.0{1,6})?|[0-9]{1,2}(\.[0-9]{1,6})?)%$"
DECIMAL_PATTERN = r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$"
MAX_DURATION = 8760 * 3600.0

MOMENT_PATTERN = (
    r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
    r"(Z|[+-][0-2][0-9]:[0-5][0-9])$"
)

_MOMENT = re.compile(MOMENT_PATTERN + r"\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_DURATION = re.compile(DURATION_PATTERN + r"\Z")
_SHARE = re.compile(SHARE_PATTERN + r"\Z")
_DECIMAL = re.compile(DECIMAL_PATTERN + r"\Z")


class InvalidValue(ValueError):
    """A value that is not accepted: `message` says what is wrong, `remedy` what to write.

    `field`: the path below the value that was checked, as `maxDuration` or `[1].max`; empty for
    the value itself.
    """

    def __init__(self, message: str, remedy: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.field = field


def shown(value: object) -> str:
    """A user's value for use in a sentence: one line, at most 40 characters."""
    text = value if isinstance(value, str) else repr(value)
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 40 else clean[:39] + "…"


def parse_duration(text: object) -> float:
    """Seconds of a duration in Go's form: `90s`, `1h30m`, `100ms`; no days. At most a year.

    Raises InvalidValue (a ValueError).
    """
    if not isinstance(text, str) or len(text) > 32 or not _DURATION.match(text):
        remedy = "write it in ms, s, m or h, as 100ms, 90s, 15m or 168h"
        if isinstance(text, str) and re.fullmatch(r"[0-9]{1,4}d", text):
            remedy = f"days are not accepted: write {int(text[:-1]) * 24}h"
        raise InvalidValue(f'"{shown(text)}" is not a duration', remedy)
    # Decimals in between, so that 100ms is the same float as the literal 0.1.
    seconds = float(sum(Decimal(n) * Decimal(str(_UNITS[u])) for n, u in _PART.findall(text)))
    if seconds > MAX_DURATION:
        raise InvalidValue(f'"{shown(text)}" is longer than a year', "write at most 8760h")
    return seconds


def parse_moment(text: object) -> float:
    """Unix seconds of a time in RFC 3339: `2026-11-24T00:00:00Z`. Raises InvalidValue."""
    remedy = 'write it in RFC 3339, in quotes, as "2026-11-24T00:00:00Z"'
    if not isinstance(text, str) or not _MOMENT.match(text):
        raise InvalidValue(f'"{shown(text)}" is not a time', remedy)
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError) as error:
        raise InvalidValue(f'"{shown(text)}" does not exist', remedy) from error


def format_duration(seconds: float) -> str:
    """Seconds as a duration: 90 is `1m30s`, 0.1 is `100ms`, 86400 is `24h`."""
    millis = round(seconds * 1000)
    if millis < 0:
        return "-" + format_duration(-seconds)
    if millis < 1000:
        return f"{millis}ms" if millis else "0s"
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, part = divmod(rest, 1000)
    second = f"{whole}.{part:03d}".rstrip("0") + "s" if part else f"{whole}s" if whole else ""
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + second


def parse_share(text: object) -> float:
    """The share, from 0 to 1, of a percentage: `1%` is 0.01. Raises InvalidValue."""
    if not isinstance(text, str) or not _SHARE.match(text):
        raise InvalidValue(
            f'"{shown(text)}" is not a share', "write a percentage from 0% to 100%, as 1% or 0.5%"
        )
    return float(Decimal(text[:-1]) / 100)


def format_share(share: float) -> str:
    """A share as a percentage: 0.01 is `1%`, 0.005 is `0.5%`."""
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + "%"


def parse_decimal(text: object) -> Decimal:
    """A finite decimal number written as a string: `"0.80"`. Raises InvalidValue."""
    if not isinstance(text, str):
        raise InvalidValue(f"{shown(text)} is not a string", f'put it in quotes: "{shown(text)}"')
    if not _DECIMAL.match(text):
        raise InvalidValue(
            f'"{shown(text)}" is not a decimal number', 'write digits, as "0.80" or "6"'
        )
    return Decimal(text)

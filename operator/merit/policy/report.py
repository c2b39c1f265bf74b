"""The evaluation report, parsed: untrusted bytes become numbers or one reason, never an exception.

The format is `merit.dev/report/v1`: one JSON object of at most 4,096 bytes in the termination
message of the Job's pod.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from merit.policy.verdict import Verdict

SCHEMA = "merit.dev/report/v1"
LIMIT = 4096
MAX_METRICS = 64
MAX_DEPTH = 6
_NAME = re.compile(r"^[A-Za-z0-9_.,:/=@ -]{1,96}$")


@dataclass(frozen=True, slots=True)
class Value:
    """A metric: its value, and the number of samples behind it if the report says so."""

    v: Decimal
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, numbers only."""

    dataset: str
    metrics: Mapping[str, Value]


class _Refused(ValueError):
    """A reason of the enum, and what to say of it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def parse_report(text: str, *, revision: str, nonce: str) -> Report | Verdict:
    """The report, if it is one and belongs to this run; else Undecided with the reason."""
    try:
        return _parse(text, revision, nonce)
    except _Refused as refused:
        return Verdict("Undecided", refused.reason, str(refused))
    except (ValueError, RecursionError, TypeError, OverflowError, ArithmeticError):
        return Verdict("Undecided", "Malformed", "the report is not valid JSON")


def _parse(text: str, revision: str, nonce: str) -> Report:
    size = len(text.encode("utf-8", "replace"))
    if size >= LIMIT:
        raise _Refused("ReportTooLarge", f"the report has {size} bytes, at most {LIMIT - 1} fit")
    raw = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    if not isinstance(raw, dict):
        raise _Refused("Malformed", "the report is not a JSON object")
    if _depth(raw) > MAX_DEPTH:
        raise _Refused("Malformed", f"the report is nested deeper than {MAX_DEPTH} levels")
    if raw.get("schema") != SCHEMA:
        raise _Refused("UnknownSchema", f"the report's schema is not {SCHEMA}")
    if raw.get("revision") != revision or raw.get("nonce") != nonce:
        raise _Refused("StaleReport", "the report belongs to another revision or another run")
    metrics = raw.get("metrics")
    if not isinstance(metrics, dict) or len(metrics) > MAX_METRICS:
        raise _Refused("Malformed", f"metrics must be an object of at most {MAX_METRICS} names")
    dataset = raw.get("dataset")
    name = dataset.get("name") if isinstance(dataset, dict) else ""
    values = {_name(k): _value(k, v) for k, v in metrics.items() if v is not None and v != "N/A"}
    return Report(dataset=plain(name if isinstance(name, str) else "", 96), metrics=values)


def plain(text: str, limit: int = 256) -> str:
    """Text of strangers as it may be shown: one line, no control characters, cut to `limit`."""
    return "".join(c if c.isprintable() else " " for c in text)[:limit].strip()


def _no_constant(name: str) -> Any:
    raise _Refused("Malformed", f"{name} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise _Refused("Malformed", "the report names a key twice")
    return keys


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(v) for v in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(v) for v in value), default=0)
    return 0


def _name(name: str) -> str:
    if not _NAME.match(name):
        raise _Refused("Malformed", f"{plain(name, 40)!r} is no name of a metric")
    return name


def _value(name: str, value: object) -> Value:
    if isinstance(value, dict):
        unknown = set(value) - {"v", "se", "n", "k"}
        if unknown:
            raise _Refused("Malformed", f"metric {name} has an unknown key {plain(min(unknown))}")
        n = _count(name, value["n"], least=1) if "n" in value else None
        if "k" in value:
            k = _count(name, value["k"])
            if n is None or k > n:
                raise _Refused("Malformed", f"metric {name}: k needs n, and 0 <= k <= n")
            return Value(Decimal(k) / Decimal(n), n)
        return Value(_number(name, value.get("v")), n)
    return Value(_number(name, value))


def _number(name: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused("Malformed", f"metric {name} is not a number")
    if not math.isfinite(value) or abs(value) > 2**53:
        raise _Refused("Malformed", f"metric {name} is not finite, or too large")
    return Decimal(repr(value))


def _count(name: str, value: object, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 2**53:
        raise _Refused("Malformed", f"metric {name}: counts are whole numbers from {least}")
    return value

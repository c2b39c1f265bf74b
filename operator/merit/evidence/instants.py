"""Instants of Prometheus' clock in status: RFC 3339 in UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def told(seconds: float | None) -> str:
    """Unix seconds as `2026-11-23T01:02:00.000Z`, nothing as the empty string."""
    if seconds is None:
        return ""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(value: Any) -> float | None:
    """What `told` wrote. Raises ValueError or TypeError."""
    return datetime.fromisoformat(value).timestamp() if value else None

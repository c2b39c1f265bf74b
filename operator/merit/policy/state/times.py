"""Times in status: RFC 3339, UTC, whole seconds. `now` is always passed in."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(now: float) -> str:
    """Unix seconds as `2026-11-23T01:02:03Z`."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """The Unix seconds of a time stamp; 0 for an empty one."""
    if not text:
        return 0.0
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def age(text: str, now: float) -> float:
    """Seconds since a time stamp, never negative; infinite for an empty one."""
    return max(0.0, now - seconds(text)) if text else float("inf")

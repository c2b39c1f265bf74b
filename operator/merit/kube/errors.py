"""What can go wrong in a call of the API server: one type for each way to react."""

from __future__ import annotations

import contextlib
import json
import math


class ApiError(Exception):
    """The API server refused, or did not answer.

    `status`: HTTP code, 0 without an answer. `reason`: the server's CamelCase word. `message`: its
    sentence. `retry_after`: seconds that it asked to wait, None if it did not; whoever waits caps
    this number, because a server may ask for any.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"


class Conflict(ApiError):
    """409: the name is taken, or our view is stale. Read again."""


class NotFound(ApiError):
    """404: there is no such object, or no such API."""


class Invalid(ApiError):
    """422, or 400 under strict validation: it will never be accepted as it is."""


class Forbidden(ApiError):
    """403: a right is missing, or an admission policy refused; the message says which."""


class Unreachable(ApiError):
    """A timeout or a broken connection: the request may or may not have been carried out."""


_TYPES: dict[int, type[ApiError]] = {
    400: Invalid,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}


def from_reply(code: int, raw: bytes, retry_after: str | None, *, what: str) -> ApiError:
    """The error for a reply. Its body is a Status, or what a proxy in between answered.

    Of the latter nothing is kept: it may repeat the request with its token.
    """
    reason, message = "", ""
    with contextlib.suppress(ValueError, AttributeError):
        body = json.loads(raw)
        reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
    error = _TYPES.get(code, ApiError)
    return error(code, reason, message or f"{what} failed with HTTP {code}", _seconds(retry_after))


def _seconds(header: str | None) -> float | None:
    """Of Retry-After; its other form, a date, is left to the queue's own back-off."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None

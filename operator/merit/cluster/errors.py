"""What can go wrong in a call of the API server, as types that tell what to do about it."""

from __future__ import annotations

import json


class ApiError(Exception):
    """The API server refused, or nothing was heard of it.

    `status` is the HTTP code (0: no answer), `reason` the server's CamelCase word, `message` its
    sentence, `retry_after` the seconds that it asked to wait, None if it did not ask.
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
    """422, or 400 under strict validation: this will never be taken as it is."""


class Forbidden(ApiError):
    """403: a right is missing, or an admission policy refused. The message says which."""


class Unreachable(ApiError):
    """A timeout or a broken connection: what was asked may or may not have been done."""


_TYPES: dict[int, type[ApiError]] = {
    400: Invalid,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}


def from_reply(code: int, raw: bytes, retry_after: str | None, *, what: str) -> ApiError:
    """The error for a reply. Its body is a Status, or whatever a proxy in between says."""
    reason, message = "", ""
    try:
        said = json.loads(raw)
        reason, message = str(said.get("reason") or ""), str(said.get("message") or "")
    except (ValueError, AttributeError):
        message = raw[:200].decode(errors="replace")
    try:
        wait = float(retry_after) if retry_after else None
    except ValueError:  # the other form is a date; the queue's own back-off will do
        wait = None
    return _TYPES.get(code, ApiError)(code, reason, message or f"{what} failed", wait)

"""One-shot requests by people: an annotation whose change, not its presence, is the request.

`merit.dev/approve`, `promote` and `retry` raise risk: their value begins with the 8 characters of
the revision that is meant, so that an approval of one never lets another through. `abort` and
`rollback` take any value. A value is acknowledged in the very write that starts its effect and
works once, whatever becomes of the annotation: tools strip it, bring it back, or keep it for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from merit.api.hashing import content_hash
from merit.api.names import GROUP
from merit.api.status import Status
from merit.policy.state.decision import Decision, Note, decisive
from merit.policy.state.observed import Observed

VERBS = ("approve", "promote", "abort", "retry", "rollback")
LONGEST = 64  # characters of a value that are kept; a longer one is cut, with its hash
HISTORY = 24


@dataclass(frozen=True, slots=True)
class Token:
    """A request: its verb, and the value that makes it a new one."""

    verb: str
    value: str

    @property
    def text(self) -> str:
        """As it was written: `merit.dev/retry=1`."""
        return f"{GROUP}/{self.verb}={self.value}"

    @property
    def digest(self) -> str:
        """8 hex digits that stand for it in the history of what was handled."""
        return content_hash([self.verb, self.value])[3:11]


def read_tokens(annotations: Mapping[str, str]) -> dict[str, str]:
    """The value per verb, printable and bounded."""
    values = {verb: _bounded(annotations.get(f"{GROUP}/{verb}") or "") for verb in VERBS}
    return {verb: value for verb, value in values.items() if value}


def _bounded(value: str) -> str:
    if len(value) <= LONGEST and value.isprintable():
        return value.strip()
    clean = "".join(c if c.isprintable() else "?" for c in value)
    return f"{clean[:40]}~{content_hash(value)[3:19]}"


def unhandled(seen: Observed, verb: str) -> Token | None:
    """The request of this verb that was not handled yet."""
    value = seen.declared.tokens.get(verb, "")
    token = Token(verb, value)
    if not value or seen.status.last_handled.get(verb) == value:
        return None
    return None if token.digest in seen.status.handled else token


def acknowledged(status: Status, token: Token) -> Status:
    """The status with this request as handled: goes into the write that starts its effect."""
    history = (token.digest, *(other for other in status.handled if other != token.digest))
    return status.model_copy(
        update={
            "last_handled": {**status.last_handled, token.verb: token.value},
            "handled": history[:HISTORY],
        }
    )


def ignored(seen: Observed, token: Token, why: str, now: float) -> Decision:
    """Acknowledged without an effect, with an Event: it must not take effect on a later version."""
    why = f"{token.text}: {why}"
    note = Note("TokenIgnored", why, warning=True)
    return decisive(acknowledged(seen.status, token), f"{token.verb} ignored", why, now, note)

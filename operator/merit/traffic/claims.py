"""The claims of routes: a Gateway, a hostname and a match. Of two claimants the older one wins.

The index is updated with every ModelDeployment, so that a question needs no loop over the fleet.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Object = Mapping[str, Any]
ANY_PATH = {"type": "PathPrefix", "value": "/"}


class Claim(NamedTuple):
    """One claim; `listener`: section name and port, each empty for all."""

    gateway: str
    host: str
    match: str
    listener: tuple[str, str]

    def overlaps(self, other: Claim) -> bool:
        """Whether both would get the same requests."""
        return self[:3] == other[:3] and all(
            not mine or not theirs or mine == theirs
            for mine, theirs in zip(self.listener, other.listener, strict=True)
        )


def claims_of(route: Object, namespace: str) -> frozenset[Claim]:
    """The claims of `parentRefs`, `hostnames` and `rules`, of a route or of a declared one.

    Never raises: a malformed route claims nothing, and is refused elsewhere.
    """
    try:
        return frozenset(_claims(route, namespace))
    except (AttributeError, LookupError, TypeError, ValueError):
        return frozenset()


def _claims(route: Object, namespace: str) -> Iterator[Claim]:
    matches = [
        _canonical(match)
        for rule in route.get("rules") or [{}]
        for match in rule.get("matches") or [{}]
    ]
    for parent in route.get("parentRefs") or ():
        gateway = f"{parent.get('namespace') or namespace}/{parent['name']}"
        listener = (str(parent.get("sectionName") or ""), str(parent.get("port") or ""))
        for host in route.get("hostnames") or ("*",):
            for match in matches:
                yield Claim(gateway, str(host), match, listener)


def _canonical(match: Object) -> str:
    """A match as text with Gateway API's defaults, so that equal matches have equal texts."""
    path = {**ANY_PATH, **(match.get("path") or {})}
    canonical: dict[str, Any] = {"path": path}
    if match.get("method"):
        canonical["method"] = match["method"]
    for part in ("headers", "queryParams"):
        entries = [{"type": "Exact", **entry} for entry in match.get(part) or ()]
        if entries:
            canonical[part] = sorted(entries, key=lambda e: json.dumps(e, sort_keys=True))
    return json.dumps(canonical, sort_keys=True)


class Claimant(NamedTuple):
    """The owner of a claim. The smaller one wins: the older, then the first by name."""

    since: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class _Entry:
    claimant: Claimant
    claims: frozenset[Claim]


class Claims:
    """The claims of a whole fleet, by the keys of the objects."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._by_claim: dict[tuple[str, str, str], set[Hashable]] = {}

    def put(self, key: Hashable, claimant: Claimant, claims: frozenset[Claim]) -> set[Hashable]:
        """Set the claims of an object. Returns the other objects that the change affects."""
        known = self._entries.get(key)
        if known is not None and known == _Entry(claimant, claims):
            return set()
        affected = self.drop(key)
        if claims:
            self._entries[key] = _Entry(claimant, claims)
            for claim in claims:
                self._by_claim.setdefault(claim[:3], set()).add(key)
        return affected | self._sharing(key, claims)

    def drop(self, key: Hashable) -> set[Hashable]:
        """Remove the claims of an object. Returns the other objects that this affects."""
        known = self._entries.pop(key, None)
        if known is None:
            return set()
        affected = self._sharing(key, known.claims)
        for claim in known.claims:
            keys = self._by_claim[claim[:3]]
            keys.discard(key)
            if not keys:
                del self._by_claim[claim[:3]]
        return affected

    def older(self, claimant: Claimant, claims: frozenset[Claim]) -> tuple[Claimant, Claim] | None:
        """An older claimant of one of these claims, the first of them; None without one."""
        found = [
            (entry.claimant, claim)
            for claim in claims
            for key in self._by_claim.get(claim[:3], ())
            if (entry := self._entries[key]).claimant < claimant
            and any(claim.overlaps(theirs) for theirs in entry.claims)
        ]
        return min(found) if found else None

    def _sharing(self, key: Hashable, claims: frozenset[Claim]) -> set[Hashable]:
        found: set[Hashable] = set()
        for claim in claims:
            found |= self._by_claim.get(claim[:3], set())
        return found - {key}

"""Who holds a Gateway, a hostname and a match: the HTTPRoute that the Gateway accepted.

Of two accepted routes the older one gets the requests, as Gateway API has it. What is only declared
holds nothing, and takes nothing from a route that serves.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from merit.policy.state.route_kind import MOST_CLAIMS

Object = Mapping[str, Any]
Listener = tuple[str, str]  # section name and port, each empty for all
ANY_PATH = {"type": "PathPrefix", "value": "/"}


class Claim(NamedTuple):
    """One claim of a route."""

    gateway: str
    host: str
    match: str
    listener: Listener


def number_of_claims(route: Object) -> int:
    """Gateways times hostnames times matches, counted without making them."""
    matches = sum(len(rule.get("matches") or [{}]) for rule in route.get("rules") or [{}])
    return len(route.get("parentRefs") or ()) * len(route.get("hostnames") or "*") * matches


def claims_of(route: Object, namespace: str) -> frozenset[Claim]:
    """The claims of `parentRefs`, `hostnames` and `rules`, of a route or of a declared one.

    Never raises: a malformed route, or one of too many claims, claims nothing and is refused
    elsewhere.
    """
    try:
        return frozenset(
            _claims(route, namespace) if number_of_claims(route) <= MOST_CLAIMS else ()
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return frozenset()


def held_claims(route: Object) -> frozenset[Claim]:
    """The claims of an HTTPRoute at those of its Gateways that have accepted it.

    In whatever version: at each change of its weights a Gateway takes a moment to answer.
    """
    namespace = route["metadata"].get("namespace", "")
    accepted = {
        _gateway(parent["parentRef"], namespace)
        for parent in (route.get("status") or {}).get("parents") or ()
        if any(_is_accepted(condition) for condition in parent.get("conditions") or ())
    }
    spec = route.get("spec") or {}
    parents = [p for p in spec.get("parentRefs") or () if _gateway(p, namespace) in accepted]
    return claims_of({**spec, "parentRefs": parents}, namespace)


def _is_accepted(condition: Object) -> bool:
    return (condition.get("type"), condition.get("status")) == ("Accepted", "True")


def _gateway(parent: Object, namespace: str) -> tuple[str, Listener]:
    listener = (str(parent.get("sectionName") or ""), str(parent.get("port") or ""))
    return f"{parent.get('namespace') or namespace}/{parent['name']}", listener


def _claims(route: Object, namespace: str) -> Iterator[Claim]:
    matches = [
        _canonical(match)
        for rule in route.get("rules") or [{}]
        for match in rule.get("matches") or [{}]
    ]
    for parent in route.get("parentRefs") or ():
        gateway, listener = _gateway(parent, namespace)
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


class Holder(NamedTuple):
    """An accepted route. The smaller one wins: the older, then the first by name."""

    since: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class _Held:
    holder: Holder
    claims: frozenset[Claim]


class Claims:
    """What the accepted routes of a whole fleet hold, by the keys of their objects."""

    def __init__(self) -> None:
        self._held: dict[Hashable, _Held] = {}
        self._listeners: dict[tuple[str, str, str], dict[Hashable, set[Listener]]] = {}

    def put(self, key: Hashable, holder: Holder, claims: frozenset[Claim]) -> bool:
        """The claims that a route holds now. Returns whether that is a change."""
        held = _Held(holder, claims)
        if self._held.get(key) == held:
            return False
        changed = self.drop(key) or bool(claims)
        if claims:
            self._held[key] = held
        for claim in claims:
            self._listeners.setdefault(claim[:3], {}).setdefault(key, set()).add(claim.listener)
        return changed

    def drop(self, key: Hashable) -> bool:
        """The route is gone. Returns whether it held anything."""
        held = self._held.pop(key, None)
        if held is None:
            return False
        for place in {claim[:3] for claim in held.claims}:
            keys = self._listeners[place]
            del keys[key]
            if not keys:
                del self._listeners[place]
        return True

    def holder(self, key: Hashable, wanted: frozenset[Claim]) -> tuple[Holder, Claim] | None:
        """Whose route has one of the claims that this object wants; None if it may have them all.

        What its own accepted route holds already only an older route has before it.
        """
        mine = self._held.get(key)
        found = [
            (theirs, claim)
            for claim in wanted
            for other, listeners in self._listeners.get(claim[:3], {}).items()
            if other != key and any(_overlap(claim.listener, each) for each in listeners)
            if (theirs := self._held[other].holder)
            and not (mine is not None and claim in mine.claims and mine.holder < theirs)
        ]
        return min(found) if found else None


def _overlap(one: Listener, other: Listener) -> bool:
    """Whether two listeners get the same requests."""
    return all(not a or not b or a == b for a, b in zip(one, other, strict=True))

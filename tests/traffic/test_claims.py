"""What a route claims, and which object wins: whatever the order in which objects are seen."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from merit.traffic.claims import Claimant, Claims, claims_of


def route(host: str = "a.example.com", *matches: dict[str, Any], **parent: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "parentRefs": [{"name": "public", "namespace": "gateways", **parent}],
        "hostnames": [host],
    }
    return made | ({"rules": [{"matches": list(matches)}]} if matches else {})


def contested(one: dict[str, Any], other: dict[str, Any]) -> bool:
    claims = Claims()
    claims.put("old", Claimant("2026-01-01", "a", "old"), claims_of(one, "a"))
    return claims.older(Claimant("2026-01-02", "b", "new"), claims_of(other, "b")) is not None


def test_equal_matches_in_different_forms_are_one_claim() -> None:
    explicit = {"path": {"type": "PathPrefix", "value": "/"}}
    assert contested(route(), route("a.example.com", explicit))
    one = {"headers": [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}]}
    two = {"headers": [{"name": "y", "value": "2", "type": "Exact"}, {"name": "x", "value": "1"}]}
    assert contested(route("a.example.com", one), route("a.example.com", two))


def test_another_host_path_method_or_gateway_is_another_claim() -> None:
    assert not contested(route(), route("b.example.com"))
    assert not contested(route(), route("a.example.com", {"path": {"value": "/v2"}}))
    assert not contested(route(), route("a.example.com", {"method": "GET"}))
    assert not contested(route(), route(name="internal"))
    assert not contested(route("*.example.com"), route("a.example.com"))


def test_all_listeners_overlap_each_one_and_two_listeners_do_not() -> None:
    assert contested(route(), route(sectionName="https"))
    assert contested(route(sectionName="https"), route(sectionName="https"))
    assert not contested(route(sectionName="http"), route(sectionName="https"))


def test_a_gateway_without_a_namespace_is_the_one_beside_the_object() -> None:
    plain = {"parentRefs": [{"name": "public"}], "hostnames": ["a.example.com"]}
    claims = Claims()
    claims.put("old", Claimant("1", "a", "old"), claims_of(plain, "a"))
    assert claims.older(Claimant("2", "b", "new"), claims_of(plain, "b")) is None
    assert claims.older(Claimant("2", "a", "new"), claims_of(plain, "a")) is not None


def test_a_changed_claim_returns_the_objects_that_it_affects() -> None:
    claims = Claims()
    old, new = Claimant("1", "a", "old"), Claimant("2", "a", "new")
    assert claims.put("old", old, claims_of(route(), "a")) == set()
    assert claims.put("new", new, claims_of(route(), "a")) == {"old"}
    assert claims.put("new", new, claims_of(route(), "a")) == set()
    assert claims.put("old", old, claims_of(route("b.example.com"), "a")) == {"new"}
    assert claims.drop("old") == set()
    assert claims.older(new, claims_of(route(), "a")) is None


def test_a_malformed_route_claims_nothing() -> None:
    for broken in ({}, {"parentRefs": 1}, {"parentRefs": [{}]}, {"parentRefs": [{"name": "x"}]}):
        claims_of(broken, "a")
    assert claims_of({"parentRefs": [{}]}, "a") == frozenset()


@given(st.permutations(["a", "b", "c", "d"]))
def test_exactly_one_object_wins_in_whatever_order_they_are_seen(order: list[str]) -> None:
    since = {"a": "2", "b": "1", "c": "3", "d": "1"}
    claimants = {name: Claimant(since[name], "ns", name) for name in order}
    claims, claimed = Claims(), claims_of(route(), "ns")
    for name in order:
        claims.put(name, claimants[name], claimed)
    assert [n for n in sorted(order) if claims.older(claimants[n], claimed) is None] == ["b"]

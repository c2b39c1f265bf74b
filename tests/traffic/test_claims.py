"""What a route claims, and whose route holds it: whatever the order in which routes are seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merit.policy.state.route_kind import MOST_CLAIMS
from merit.traffic import claims as module
from merit.traffic.claims import Claims, Holder, claims_of, held_claims, number_of_claims


def route(host: str = "a.example.com", *matches: dict[str, Any], **parent: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "parentRefs": [{"name": "public", "namespace": "gateways", **parent}],
        "hostnames": [host],
    }
    return made | ({"rules": [{"matches": list(matches)}]} if matches else {})


def holding(*specs: dict[str, Any]) -> Claims:
    """Routes of the namespaces a, b, ... in that order of age, each accepted."""
    claims = Claims()
    for number, spec in enumerate(specs):
        namespace = "abcdefgh"[number]
        claims.put(namespace, Holder(f"2026-01-0{number}", namespace, "own"), claims_of(spec, ""))
    return claims


def contested(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return holding(one).holder("new", claims_of(other, "b")) is not None


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


def test_all_listeners_overlap_with_any_one_and_two_different_ones_do_not() -> None:
    assert contested(route(), route(sectionName="https"))
    assert contested(route(sectionName="https"), route(sectionName="https"))
    assert not contested(route(sectionName="http"), route(sectionName="https"))


def test_a_gateway_without_a_namespace_is_that_of_the_objects_own() -> None:
    plain = {"parentRefs": [{"name": "public"}], "hostnames": ["a.example.com"]}
    claims = Claims()
    claims.put("old", Holder("1", "a", "old"), claims_of(plain, "a"))
    assert claims.holder("new", claims_of(plain, "b")) is None
    assert claims.holder("new", claims_of(plain, "a")) is not None


def test_what_a_route_holds_already_only_an_older_route_has_before_it() -> None:
    claims, wanted = holding(route(), route()), claims_of(route(), "")
    assert claims.holder("a", wanted) is None
    assert claims.holder("b", wanted) is not None


def test_an_older_route_that_wants_something_new_takes_it_from_nobody() -> None:
    claims = holding(route("a.example.com"), route("b.example.com"))
    found = claims.holder("a", claims_of(route("b.example.com"), ""))
    assert found is not None and found[0].namespace == "b"


def test_a_change_of_what_is_held_is_told_once() -> None:
    claims, holder = Claims(), Holder("1", "a", "one")
    assert claims.put("a", holder, claims_of(route(), "a"))
    assert not claims.put("a", holder, claims_of(route(), "a"))
    assert claims.put("a", holder, claims_of(route("b.example.com"), "a"))
    assert claims.drop("a") and not claims.drop("a")
    assert claims.holder("b", claims_of(route(), "b")) is None


def accepted_by(*names: str, parents: tuple[str, ...] = ("mine", "theirs")) -> dict[str, Any]:
    status = [
        {
            "parentRef": {"name": name},
            "conditions": [{"type": "Accepted", "status": str(name in names)}],
        }
        for name in parents
    ]
    refs = [{"name": name} for name in parents]
    return {
        "metadata": {"namespace": "a", "name": "own"},
        "spec": {"parentRefs": refs, "hostnames": ["a.example.com"]},
        "status": {"parents": status},
    }


def test_a_route_holds_claims_only_at_gateways_that_accepted_it() -> None:
    assert {claim.gateway for claim in held_claims(accepted_by("mine"))} == {"a/mine"}
    assert held_claims(accepted_by()) == frozenset()
    assert held_claims(accepted_by("mine") | {"status": {}}) == frozenset()


def test_a_malformed_route_claims_nothing() -> None:
    for broken in ({"parentRefs": [{}]}, {"parentRefs": 3}, {"rules": [None], "parentRefs": [{}]}):
        claims_of(broken, "a")
    assert claims_of({"parentRefs": [{}]}, "a") == frozenset()


@given(st.permutations(["a", "b", "c"]))
def test_whatever_the_order_exactly_one_of_equal_claimants_wins(order: list[str]) -> None:
    claims, claimed = Claims(), claims_of(route(), "ns")
    since = {"a": "2026-02-01", "b": "2026-01-01", "c": "2026-01-01"}
    for name in order:
        claims.put(name, Holder(since[name], "ns", name), claimed)
    assert [name for name in sorted(order) if claims.holder(name, claimed) is None] == ["b"]


def wide(gateways: int, hosts: int, matches: int) -> dict[str, Any]:
    """As many claims as that."""
    return {
        "parentRefs": [{"name": f"g{n}"} for n in range(gateways)],
        "hostnames": [f"h{n}.example.com" for n in range(hosts)],
        "rules": [{"matches": [{"path": {"value": f"/{n}"}} for n in range(matches)]}],
    }


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    calls, function = [0], getattr(module, name)

    def counting(*args: Any) -> Any:
        calls[0] += 1
        return function(*args)

    monkeypatch.setattr(module, name, counting)
    return calls


def test_the_work_of_a_comparison_grows_with_the_claims_and_not_with_their_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = claims_of(wide(1, 2, MOST_CLAIMS // 2), "ns")
    claims = Claims()
    for number in range(4):
        claims.put(number, Holder(str(number), "ns", str(number)), many)
    compared = counted(monkeypatch, "_overlap")
    assert len(many) == MOST_CLAIMS and claims.holder("new", many) is not None
    assert compared[0] <= 4 * MOST_CLAIMS


def test_a_route_of_too_many_claims_is_counted_and_not_expanded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = counted(monkeypatch, "_canonical")
    huge = wide(8, 16, 120)
    assert number_of_claims(huge) == 15_360
    assert claims_of(huge, "ns") == frozenset() and made[0] == 0

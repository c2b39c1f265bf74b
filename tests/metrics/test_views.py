"""Who has no gateway is judged by the servers' own series, and only then are these asked for."""

from __future__ import annotations

from merit.metrics.fleet import Fleet
from merit.metrics.preset import load_preset
from merit.metrics.sources import OWN, Sources, View
from tests.metrics.world import FakePrometheus


def fleet(preset: str) -> Fleet:
    return Fleet(FakePrometheus(), load_preset(preset))


def sources(**views: View) -> Sources:
    named = {name.replace("_own", OWN): view for name, view in views.items()}
    return Sources(named, default=next(iter(named)), fast=1.0, live=1.0)


def test_with_a_gateway_the_gateway_tells() -> None:
    found = sources(contour=View(fleet("contour-envoy")))
    assert found.view_of("contour", by_pods=False) == "contour"
    assert found.view_of("", by_pods=False) == "contour"
    assert found.view_of("other", by_pods=False) == ""


def test_without_one_the_servers_of_the_source_tell_or_nobody() -> None:
    gateway, servers = View(fleet("contour-envoy")), View(fleet("prometheus-client"), idle=True)
    assert sources(a=gateway).view_of("a", by_pods=True) == ""
    assert sources(a=gateway, a_own=servers).view_of("a", by_pods=True) == "a" + OWN
    assert sources(a=servers).view_of("a", by_pods=True) == "a"


async def test_a_view_that_nobody_asks_is_not_looked_at() -> None:
    servers = View(fleet("prometheus-client"), idle=True)
    found = sources(a=View(fleet("contour-envoy")), a_own=servers)
    look = found._everybody("a" + OWN, servers)
    assert await look() is None
    found.idle("ns", "model", "0" * 8, 80, source="a" + OWN)
    assert await look() is not None

"""An object without a gateway is judged by the servers' own series, read only on demand."""

from __future__ import annotations

from merit.prometheus.fleet import Fleet
from merit.prometheus.preset import load_preset
from merit.prometheus.sources import SERVERS_SUFFIX, Sources, View
from tests.prometheus.world import FakePrometheus


def fleet(preset: str) -> Fleet:
    return Fleet(FakePrometheus(), load_preset(preset))


def sources(**views: View) -> Sources:
    named = {name.replace("_own", SERVERS_SUFFIX): view for name, view in views.items()}
    return Sources(named, fast=1.0, live=1.0)


def test_with_a_gateway_its_series_are_read() -> None:
    found = sources(contour=View(fleet("contour-envoy")))
    assert found.view_of("contour", by_pods=False) == "contour"
    assert found.view_of("other", by_pods=False) == ""


def test_without_one_the_servers_of_the_source_are_read_or_nothing() -> None:
    gateway, servers = (
        View(fleet("contour-envoy")),
        View(fleet("prometheus-client"), on_demand=True),
    )
    assert sources(a=gateway).view_of("a", by_pods=True) == ""
    assert sources(a=gateway, a_own=servers).view_of("a", by_pods=True) == "a" + SERVERS_SUFFIX
    assert sources(a=servers).view_of("a", by_pods=True) == "a"


async def test_a_view_that_is_not_read_is_not_polled() -> None:
    servers = View(fleet("prometheus-client"), on_demand=True)
    found = sources(a=View(fleet("contour-envoy")), a_own=servers)
    poll = found._poll_all("a" + SERVERS_SUFFIX)
    assert await poll() is None
    assert found.view("a" + SERVERS_SUFFIX) is servers
    assert await poll() is not None


def test_an_object_that_may_use_no_source_reads_none() -> None:
    found = sources(contour=View(fleet("contour-envoy")))
    assert found.view("") is None
    assert found.view_of("", by_pods=False) == ""

"""Which objects one poll judges together: those of its metrics source, exposed or live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from merit.config import Config
from merit.kube.cache import Cache, Key
from merit.prometheus.sources import PollResult
from merit.reconciler.breaker import CircuitBreaker
from merit.reconciler.loop import Reconciler

KEYS = {name: Key("risk", name) for name in ("canary", "blamed", "gone", "live", "elsewhere")}
STABLE = {"short": "aaaaaaaa"}
STATUS: dict[str, dict[str, Any]] = {
    "canary": {"stable": STABLE, "candidate": {"stage": "Rollout", "weight": 10}},
    "blamed": {
        "stable": STABLE,
        "candidate": {"stage": "Withdrawn"},
        "flow": [{"stage": "Rollout", "verdict": "Bad"}],
    },
    "gone": {
        "stable": STABLE,
        "candidate": {"stage": "Withdrawn"},
        "flow": [{"stage": "Rollout", "verdict": "NoData"}],
    },
    "live": {"stable": STABLE},
    "elsewhere": {"stable": STABLE, "candidate": {"stage": "Rollout", "weight": 10}},
}


class Begun(CircuitBreaker):
    """Collects what is judged together."""

    def __init__(self) -> None:
        super().__init__()
        self.polls: dict[tuple[str, str], set[str]] = {}

    def begin(self, view: str, what: str, keys: Iterable[Key], now: float) -> None:
        self.polls[view, what] = {key.name for key in keys}


class Views:
    """Every source has one view, of its own name."""

    def view_of(self, source: str, *, by_pods: bool) -> str:
        return source


@pytest.fixture
def breaker() -> Begun:
    return Begun()


@pytest.fixture
def reconciler(breaker: Begun) -> Reconciler:
    sources = {
        name: {"prometheus": {"url": "http://p"}, "preset": "contour-envoy"}
        for name in ("here", "there")
    }
    config = Config.model_validate({"metrics": {"default": "here", "sources": sources}})
    cache = Cache()
    for name, status in STATUS.items():
        source = {"monitoring": {"source": "there"}} if name == "elsewhere" else {}
        metadata = {"namespace": "risk", "name": name, "uid": name, "resourceVersion": "1"}
        cache.put("ModelDeployment", {"metadata": metadata, "spec": source, "status": status})
    none: Any = None
    views: Any = Views()
    return Reconciler(none, cache, views, config, none, lambda: 0.0, breaker=breaker)


def test_a_poll_judges_the_objects_of_its_own_source(
    reconciler: Reconciler, breaker: Begun
) -> None:
    reconciler.polled(PollResult("here", None), KEYS.values())
    assert breaker.polls == {
        ("here", "exposed models"): {"canary", "blamed"},
        ("here", "live models"): {"gone", "live"},
    }


def test_a_poll_of_the_exposed_says_nothing_of_how_many_are_live(
    reconciler: Reconciler, breaker: Begun
) -> None:
    some = frozenset(KEYS[name] for name in ("canary", "blamed", "gone"))
    reconciler.polled(PollResult("here", some), some)
    assert breaker.polls == {("here", "exposed models"): {"canary", "blamed"}}

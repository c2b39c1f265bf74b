"""Whatever stands in a value, a query holds the selectors that it was made of and no other."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.prometheus.distributions import _FOLD
from merit.prometheus.inspection import arm_selector
from merit.prometheus.parts import DIGITS
from merit.prometheus.preset import joined, load_preset, matcher, preset_names, quoted, read_preset
from tests.prometheus.real import RealPrometheus

ANY = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.fixture(scope="module")
def parse(tmp_path_factory):
    prometheus = RealPrometheus(tmp_path_factory.mktemp("parser"))

    def ask(query: str) -> dict[str, Any]:
        body = urllib.parse.urlencode({"query": query}).encode()
        with urllib.request.urlopen(f"{prometheus.url}/api/v1/parse_query", body) as answer:
            return json.load(answer)["data"]

    yield ask
    prometheus.close()


def selectors(tree: Any) -> list[dict[str, str]]:
    """What every selector of a query asks for: label to value, the metric's name left out."""
    found = []
    if isinstance(tree, dict):
        if tree.get("type") in ("vectorSelector", "matrixSelector"):
            matchers = tree["matchers"]
            found.append({m["name"]: m["value"] for m in matchers if m["name"] != "__name__"})
        found += [one for child in tree.values() for one in selectors(child)]
    elif isinstance(tree, list):
        found += [one for child in tree for one in selectors(child)]
    return found


@settings(max_examples=60, deadline=None)
@given(job=ANY, other=ANY)
def test_matchers_of_any_text_stay_values(parse, job, other):
    query = f"rate(x_total{{{matcher({'job': job, 'other': other})}}}[60s])"
    assert selectors(parse(query)) == [{"job": job, "other": other}]


@settings(max_examples=40, deadline=None)
@given(value=ANY, left_out=st.lists(ANY, min_size=1, max_size=3))
def test_a_presets_own_values_stay_values(parse, value, left_out):
    preset = read_preset(
        {
            "name": "mine",
            "tested": "here",
            "pod": {},
            "requests": {
                "series": "x_total",
                "where": {"method": value},
                "except": {"path": left_out},
            },
        }
    )
    query = f"x_total{{{joined(preset.requests[0].matchers())}}}"
    (found,) = selectors(parse(query))
    assert set(found) == {"method", "path"} and found["method"] == value


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("names", [None, frozenset({("risk", "fraud"), ("ml", "a-b")})])
def test_the_queries_of_every_preset_are_understood(parse, name, names):
    preset = load_preset(name)
    for digit in ("", "0a1f", *DIGITS):
        pattern = (
            preset.arm.pattern(names, digit) if preset.arm else preset.pod[0].pattern(names, digit)
        )
        arms = arm_selector(preset, None, pattern)
        for one in (*preset.requests, *preset.latency):
            where = joined((matcher({"job": "it"}), arms, *one.matchers()))
            (found,) = selectors(parse(f"{one.series}{{{where}}}[60s]"))
            assert found["job"] == "it" and len(found) == 2 + len(one.matchers())


def test_pods_fold_into_revisions_by_the_same_rule_there_as_here(parse):
    query = f'label_replace(x, "merit_arm", "$1", "pod", "{quoted(_FOLD)}")'
    assert selectors(parse(query)) == [{}]

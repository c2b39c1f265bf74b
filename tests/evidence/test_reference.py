"""The same numbers as another implementation of the same formulas: see `made` in reference.json.

The other one rounds nothing. What ships keeps scores and allowances as three decimals after every
scrape, so that a restart changes nothing: half a thousandth of a nat each, so that is how far the
two may come apart. A verdict needs 4.6 nats.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from merit.evidence.acceptance import Acceptance
from merit.evidence.counts import Counts
from merit.evidence.score import Evidence, Scoring, log_bet, log_bets, log_mean

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
APART = 0.001  # nats a scrape


def cells(part):
    return [pytest.param(cell, id=cell["name"]) for cell in REFERENCE[part]]


def arms(counts):
    n_c, b_c, n_s, b_s = counts
    return Counts(n_c, b_c), Counts(n_s, b_s)


def test_a_bet_brings_what_the_formula_says():
    for u, r, d, *counts, nats in REFERENCE["bets"]:
        assert log_bet(u, r, d, *arms(counts)) == pytest.approx(nats, rel=1e-9, abs=1e-9)
        if u > 1:
            found = log_bets([u], r, d, *arms(counts))
            assert found == pytest.approx([nats], rel=1e-9, abs=1e-9)


def test_scores_are_averaged_never_multiplied():
    for scores, combined in REFERENCE["combined"]:
        assert log_mean(scores) == pytest.approx(combined, abs=1e-9)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("cell", cells("worse"))
def test_is_it_worse_says_the_same_after_every_scrape(cell, restarted):
    scoring = Scoring(cell["phi"], 30.0, cell["burst"], cell["refill"])
    score = Evidence(cell["r"], cell["d"], scoring=scoring)
    for i, (row, log_e) in enumerate(zip(cell["rows"], cell["logE"], strict=True), 1):
        *counts, changed = row
        score.update(*arms(counts), seconds=cell["seconds"], weight_changed=bool(changed))
        assert score.log_e() == pytest.approx(log_e, abs=i * APART)
        if restarted:
            score = Evidence(cell["r"], cell["d"], scoring=scoring, state=score.to_status())
    apart, end = len(cell["rows"]) * APART, cell["end"]
    assert score.logs == pytest.approx(end["logs"], abs=apart)
    assert score.allow == pytest.approx(end["allow"], abs=apart)
    assert score.idle == pytest.approx(end["idle"], abs=1e-5)


@pytest.mark.parametrize("cell", cells("accepted"))
def test_is_it_proven_says_the_same_after_every_scrape(cell):
    score = Acceptance(1, phi=cell["phi"])
    for i, (row, log_e) in enumerate(zip(cell["rows"], cell["logE"], strict=True), 1):
        *counts, p = row
        score.update(
            *arms(counts), seconds=cell["seconds"], margins=(cell["margin"],), p=p, memory=60.0
        )
        assert score.log_e(0) == pytest.approx(log_e, abs=i * APART)

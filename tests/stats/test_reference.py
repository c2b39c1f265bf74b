"""The same numbers as another implementation of the same formulas: see `made` in reference.json.

The other one rounds nothing. The operator keeps log e-values and allowances as three decimals after
every scrape, so that a restart changes nothing: the two may differ by 0.0005 each time. A verdict
at 99 % needs a log e-value of 4.6.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from merit.stats.counts import Counts
from merit.stats.e_process import Betting, EProcess, log_e_increment, log_e_increments, log_mean
from merit.stats.non_inferiority import NonInferiority

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
APART = 0.001  # difference of a log e-value per scrape


def cells(part):
    return [pytest.param(cell, id=cell["name"]) for cell in REFERENCE[part]]


def arms(counts):
    n_c, b_c, n_s, b_s = counts
    return Counts(n_c, b_c), Counts(n_s, b_s)


def test_the_log_e_increment_is_that_of_the_formula():
    for u, r, d, *counts, log_e in REFERENCE["bets"]:
        assert log_e_increment(u, r, d, *arms(counts)) == pytest.approx(log_e, rel=1e-9, abs=1e-9)
        if u > 1:
            found = log_e_increments([u], r, d, *arms(counts))
            assert found == pytest.approx([log_e], rel=1e-9, abs=1e-9)


def test_e_values_are_averaged_never_multiplied():
    for scores, combined in REFERENCE["combined"]:
        assert log_mean(scores) == pytest.approx(combined, abs=1e-9)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("cell", cells("worse"))
def test_the_e_process_is_the_same_after_every_scrape(cell, restarted):
    betting = Betting(cell["phi"], 30.0, cell["burst"], cell["refill"])
    e_process = EProcess(cell["r"], cell["d"], betting=betting)
    for i, (row, log_e) in enumerate(zip(cell["rows"], cell["logE"], strict=True), 1):
        *counts, changed = row
        e_process.update(*arms(counts), seconds=cell["seconds"], weight_changed=bool(changed))
        assert e_process.log_e() == pytest.approx(log_e, abs=i * APART)
        if restarted:
            state = e_process.to_status()
            e_process = EProcess(cell["r"], cell["d"], betting=betting, state=state)
    apart, end = len(cell["rows"]) * APART, cell["end"]
    assert e_process.logs == pytest.approx(end["logs"], abs=apart)
    assert e_process.allowance == pytest.approx(end["allow"], abs=apart)
    assert e_process.reserve == pytest.approx(end["idle"], abs=1e-5)


@pytest.mark.parametrize("cell", cells("accepted"))
def test_the_non_inferiority_e_process_is_the_same_after_every_scrape(cell):
    e_process = NonInferiority(1, phi=cell["phi"])
    for i, (row, log_e) in enumerate(zip(cell["rows"], cell["logE"], strict=True), 1):
        *counts, p = row
        e_process.update(
            *arms(counts), seconds=cell["seconds"], margins=(cell["margin"],), p=p, memory=60.0
        )
        assert e_process.log_e(0) == pytest.approx(log_e, abs=i * APART)

"""The module that data scientists copy: what it writes is a report, and what is none it refuses."""

from __future__ import annotations

import ast
import json
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import merit_report
from merit.policy.gates.evaluation.report import Report, parse_report
from merit.policy.gates.strict_json import LIMIT
from merit_report import histogram, report, share, value

BOUND = {"revision": "h1:aa", "nonce": "bb"}


@pytest.fixture(autouse=True)
def run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERIT_REVISION", BOUND["revision"])
    monkeypatch.setenv("MERIT_NONCE", BOUND["nonce"])
    monkeypatch.setenv("MERIT_STABLE_REVISION", "h1:cc")


def read(made: merit_report.Report, tmp_path: Path) -> Report:
    made.write(tmp_path / "report")
    found = parse_report((tmp_path / "report").read_text(), **BOUND)
    assert isinstance(found, Report), found
    return found


def test_the_smallest_report_is_one_line_and_is_taken(tmp_path: Path) -> None:
    found = read(report(metrics={"recall": share(838, 1000), "roc_auc": 0.91}), tmp_path)
    assert (found.metrics["recall"].k, found.metrics["recall"].n) == (838, 1000)
    assert found.metrics["roc_auc"].v == Decimal("0.91")


def test_a_report_with_every_part_is_taken_whole(tmp_path: Path) -> None:
    made = report(
        metrics={"auc": value(0.91, se=0.01, n=100)},
        slices={"country=BR": {"auc": value(0.9, n=10)}},
        dataset={"name": "holdout", "digest": "sha256:c4", "rows": 100},
        stable={"auc": 0.9},
        delta={"auc": value(0.01, se=0.001)},
        reference={"score": histogram([0.1, 0.2, 0.9], le=[0.1, 0.5])},
        artifact={"uri": "s3://reports/1.html", "sha256": "e3"},
    )
    found = read(made, tmp_path)
    assert found.stable is not None and found.stable.revision == "h1:cc"
    assert found.reference["score"].n == (1, 1, 1)
    assert found.artifact is not None and found.dataset.rows == 100


def test_at_the_first_deployment_there_is_no_stable_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERIT_STABLE_REVISION", "")
    assert read(report({"auc": 0.9}, stable={}), tmp_path).stable is None


class Scalar:
    """As NumPy's: a number only when asked."""

    def __init__(self, number: float) -> None:
        self.number = number

    def __float__(self) -> float:
        return self.number


def test_numbers_of_other_libraries_are_numbers(tmp_path: Path) -> None:
    made = report({"a": Scalar(0.5), "b": share(Scalar(3.0), Scalar(4.0)), "c": Fraction(1, 4)})
    found = read(made, tmp_path)
    assert [str(found.metrics[name].v) for name in "abc"] == ["0.5", "0.75", "0.25"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Scalar(float("nan"))])
def test_a_value_that_is_not_a_number_is_refused_by_the_writer(number: Any) -> None:
    with pytest.raises(ValueError, match="recall"):
        report({"recall": number})
    with pytest.raises(ValueError, match="recall"):
        report({"recall": value(0.5, se=number)})


@pytest.mark.parametrize(("k", "n"), [(5, 4), (-1, 4), (0, 0)])
def test_more_hits_than_samples_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        share(k, n)


def test_a_report_that_the_kubelet_would_cut_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merit_report, "MESSAGE", str(tmp_path / "log"))
    big = report({f"metric_{n}": n for n in range(400)})
    with pytest.raises(ValueError, match=r"4,096.*evaluation\.report\.path"):
        big.write()
    assert not (tmp_path / "log").exists()
    big.write(tmp_path / "file")  # a file may be larger
    assert merit_report.LIMIT == LIMIT
    report({"a": 1}).write()
    assert json.loads((tmp_path / "log").read_text())["metrics"] == {"a": 1}


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse(Path(merit_report.__file__).read_text())
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names

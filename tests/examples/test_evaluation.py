"""The examples for data scientists: valid manifests, and what their scripts really wrote passes.

The outputs beside this file are of the scripts, run by `tests/cli/adapters/golden/make.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.cli.adapters.summary import summarise
from merit.policy.gates.evaluation.bars import Serving, judge
from merit.policy.gates.evaluation.finding import gate_verdict
from merit.policy.gates.evaluation.report import Report, parse_report

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "evaluation").iterdir())
BOUND = {"revision": "h1:aa", "nonce": "bb"}


def spec_of(example: Path) -> Spec:
    manifest = yaml.safe_load((example / "model.yaml").read_text())
    spec = parse_spec(manifest["spec"], name=manifest["metadata"]["name"])
    assert isinstance(spec, Spec), spec.sentence()
    return spec


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_what_the_script_wrote_meets_the_bars_of_its_manifest(example: Path) -> None:
    evaluation = spec_of(example).evaluation
    text = (Path(__file__).parent / f"{example.name}.json").read_text()
    if evaluation.file:
        text = summarise(
            text.encode(),
            framework=evaluation.format,
            pointers={},
            keep=[bar.metric for bar in evaluation.bars],
            keep_slices=[],
            **BOUND,
        )
    report = parse_report(text, **BOUND)
    assert isinstance(report, Report), report
    findings = judge(report, evaluation.bars, Serving("h1:cc"))
    verdict = gate_verdict(findings)
    assert verdict.kind == "Good", verdict.message


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_a_manifest_shows_each_field_of_the_docs_page(example: Path) -> None:
    page = (ROOT / "docs" / "write-an-evaluation.md").read_text()
    assert f"../examples/evaluation/{example.name}" in page
    assert re.search(r"^# .{20,}", (example / "model.yaml").read_text())

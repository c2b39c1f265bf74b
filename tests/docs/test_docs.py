"""What the documentation says is what the product does."""

from __future__ import annotations

import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
import yaml

from docs.generate import ROOT, pages
from merit.api.reasons import REASONS
from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.config import load
from merit.policy.gates.evaluation.report import Report, parse_report
from merit.prometheus.preset import find_preset, preset_names
from tests.docs.pages import block

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_generated_is_not_stale(path: Path) -> None:
    assert path.read_text() == pages()[path], f"stale: make crd ({path.relative_to(ROOT)})"


def test_the_smallest_object_of_the_readme_is_valid_and_about_forty_lines() -> None:
    text = block("README.md", "smallest")
    manifest = yaml.safe_load(text)
    spec = parse_spec(manifest["spec"], name=manifest["metadata"]["name"])
    assert isinstance(spec, Spec), spec.sentence()
    assert len(text.splitlines()) <= 45


def test_the_configuration_of_the_operations_page_is_valid(tmp_path: Path) -> None:
    values = yaml.safe_load(block("docs/operations.md", "configuration"))
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(values["config"]))
    assert load(file).source("anywhere") is not None


def test_the_preset_of_the_metrics_page_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(block("docs/metrics.md", "preset"))
    presets = load(file).metrics.presets
    assert find_preset("my-gateway", presets).arm is not None


def test_the_metrics_page_names_every_preset() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert all(f"| `{name}` |" in text for name in preset_names())


def test_every_reason_has_a_sentence_and_its_own_line() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    lines = text.partition("<!-- generated: reasons -->")[2].splitlines()
    for reason in REASONS.values():
        assert reason.sentence
        assert sum(line.startswith(f"| `{reason.word}` ") for line in lines) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_make_target_that_the_pages_name_exists() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = set(re.findall(r"^  make (\S+)", listed.stdout, re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:`|^|MERIT_N=2 |/merit )make ([a-z0-9-]+)", page.read_text(), re.M)
        assert set(named) <= targets, page


def test_the_report_of_the_tutorial_is_one_that_the_gate_accepts() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found
    text = found[1].replace('open("/dev/termination-log", "w")', "sink")
    sink = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MERIT_REVISION", "h1:aa")
        patch.setenv("MERIT_NONCE", "bb")
        exec(text, {"sink": sink})
    report = parse_report(sink.getvalue(), revision="h1:aa", nonce="bb")
    assert isinstance(report, Report), report

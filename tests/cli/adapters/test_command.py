"""`merit report` as the pod runs it: whatever was written there, one message comes out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from merit.cli.report import MAX_FILE
from merit.policy.gates.evaluation.report import Report, parse_report
from merit.policy.gates.strict_json import LIMIT
from merit.policy.state.verdict import Verdict

GOLDEN = Path(__file__).parent / "golden"
OPERATOR = Path(__file__).parents[2] / "operator"
BOUND = {"revision": "h1:aa", "nonce": "bb"}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The directory that the user's containers write to."""
    made = tmp_path / "there"
    made.mkdir()
    return made


def said(there: Path, *arguments: str) -> Report | Verdict:
    """What the operator makes of the container's message."""
    out = there.parent / "termination-log"
    done = subprocess.run(
        [sys.executable, "-m", "merit", "report", f"--out={out}", *arguments],
        env={
            "PYTHONPATH": str(OPERATOR),
            "PATH": os.environ["PATH"],
            "MERIT_REVISION": BOUND["revision"],
            "MERIT_NONCE": BOUND["nonce"],
            "MERIT_REPORT_DIR": str(there),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = out.read_text()
    assert len(text) <= LIMIT
    assert done.stdout == text + "\n", "people read the log"
    return parse_report(text, **BOUND)


def reason(there: Path, path: str = "metrics.json") -> tuple[str, str]:
    found = said(there, "--format=MLflow", f"--path={path}")
    assert isinstance(found, Verdict) and found.kind == "Undecided"
    return found.reason, found.message


def test_a_frameworks_file_becomes_the_runs_report(there: Path) -> None:
    shutil.copy(GOLDEN / "mlflow-3.17.2-classifier.json", there / "metrics.json")
    found = said(there, "--format=MLflow", "--path=metrics.json", "--metric=f=/f1_score")
    assert isinstance(found, Report)
    assert found.metrics["f"].v == found.metrics["f1_score"].v


def test_a_file_somewhere_below_is_found_by_its_pattern(there: Path) -> None:
    deep = there / "model" / "x"
    deep.mkdir(parents=True)
    shutil.copy(GOLDEN / "lmeval-0.4.13.json", deep / "results_2026-11-01T00-00-00.json")
    (there / "log.txt").write_text("x")
    found = said(there, "--format=LmEval", "--path=*results_*.json")
    assert isinstance(found, Report) and "sums/acc" in found.metrics


def test_metrics_of_bars_are_kept_if_not_everything_fits(there: Path) -> None:
    (there / "metrics.json").write_text(json.dumps({f"metric-{n}": n / 7 for n in range(999)}))
    found = said(there, "--format=MLflow", "--path=metrics.json", "--keep=metric-7")
    assert isinstance(found, Report) and set(found.metrics) == {"metric-7"}


def test_nothing_written_is_a_missing_report(there: Path) -> None:
    assert reason(there) == ("ReportMissing", "no file is metrics.json; nothing was written")
    (there / "other.json").write_text("{}")
    assert reason(there)[1] == "no file is metrics.json; there is other.json"
    assert reason(there, "*.csv")[1] == "no file is *.csv; there is other.json"


def test_garbage_is_malformed(there: Path) -> None:
    (there / "metrics.json").write_bytes(os.urandom(4096))
    assert reason(there)[0] == "Malformed"


def test_a_symbolic_link_is_not_followed(there: Path) -> None:
    (there.parent / "secret.json").write_text('{"a": 1}')
    (there / "metrics.json").symlink_to(there.parent / "secret.json")
    assert reason(there)[0] == "Malformed"
    assert "symbolic link" in reason(there)[1]


def test_a_directory_that_is_a_symbolic_link_is_not_followed(there: Path) -> None:
    outside = there.parent / "outside"
    outside.mkdir()
    (outside / "metrics.json").write_text('{"a": 1}')
    (there / "out").symlink_to(outside)
    assert reason(there, "out/metrics.json")[0] == "Malformed"
    assert reason(there, "*metrics.json")[0] == "ReportMissing"
    assert reason(there, "../outside/metrics.json")[0] == "ReportMissing"


def test_a_file_of_1_gib_is_too_large_and_not_read(there: Path) -> None:
    with open(there / "metrics.json", "wb") as file:
        file.truncate(2**30)
    assert reason(there) == (
        "ReportTooLarge",
        "metrics.json has 1,024 MiB, at most 32 MiB are read",
    )


def test_a_file_that_needs_too_much_memory_is_too_large(there: Path) -> None:
    text = '{"a": [' + "[]," * 6_000_000 + "[]]}"
    (there / "metrics.json").write_text(text)
    assert len(text) < MAX_FILE
    assert reason(there)[0] == "ReportTooLarge"


def test_a_pipe_does_not_block(there: Path) -> None:
    os.mkfifo(there / "metrics.json")
    assert reason(there) == ("Malformed", "metrics.json is not a file")


def test_a_directory_is_no_file(there: Path) -> None:
    (there / "metrics.json").mkdir()
    assert reason(there) == ("Malformed", "metrics.json is not a file")


def test_several_matching_files_are_malformed(there: Path) -> None:
    for name in ("results_1.json", "results_2.json"):
        (there / name).write_text("{}")
    assert reason(there, "*results_*.json")[0] == "Malformed"
    assert "results_1.json, results_2.json" in reason(there, "*results_*.json")[1]


def test_the_command_needs_nothing_that_is_not_in_the_standard_library(there: Path) -> None:
    code = (
        "import sys; import merit.cli.report, merit.cli.adapters.summary;"
        "print([m for m in sys.modules if m.split('.')[0] in ('pydantic', 'kopf', 'kubernetes')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(OPERATOR)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"

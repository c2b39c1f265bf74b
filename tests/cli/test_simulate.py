from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
import yaml

from bench.plans import SPEC
from merit.__main__ import main
from tests.api.wrong_manifests import WRONG

GOOD = {
    "apiVersion": "merit.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "scorer", "namespace": "risk"},
    "spec": SPEC | {"constraints": SPEC["constraints"] | {
        "scale": {"rps": 200, "replicas": {"min": 4, "max": 4}}}},
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def to(*objects):
        path = tmp_path / "manifest.yaml"
        path.write_text(yaml.safe_dump_all(objects))
        return str(path)

    return to


def simulate(capsys, *args, runs=2):
    code = main(["simulate", "--jobs", "1", "--runs", str(runs), *args])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_it_says_how_long_a_healthy_version_takes_and_what_is_caught(write, capsys):
    code, out, err = simulate(capsys, write(GOOD))
    assert (code, err) == (0, "")
    assert out.startswith("scorer: errors <= 1%, p99 <= 120ms at 200 requests/s")
    assert "rolled back 0, promoted 2" in out and "promoted after 20m" in out
    for name in ("errors 0.5%", "errors 5%", "errors 100%", "leak to 5%", "p99 +20%", "p99 x2"):
        assert name in out
    assert re.search(r"errors 5% +2 of 2 ", out)


def test_json_is_the_same_in_seconds_and_fractions(write, capsys):
    code, out, _ = simulate(capsys, write(GOOD), "--defect", "errors=5%", "-o", "json")
    told = json.loads(out)
    assert code == 0 and told["confidence"] == 0.99 and told["steps"] == [1, 5, 10, 25, 50, 90]
    assert told["healthy"]["promotedAfter"] == 1200.0
    (defect,) = told["defects"]
    assert (defect["rolledBack"], defect["promoted"], defect["signal"]) == (2, 0, "errors")
    assert 0 < defect["badRequests"] < 40 and "requests failed" in defect["message"]


def test_the_same_seed_says_the_same_and_jobs_change_nothing(write, capsys):
    file = write(GOOD)
    args = [file, "--defect", "errors=30%", "-o", "json", "--horizon", "60s"]
    _, one, _ = simulate(capsys, *args, runs=6)
    assert main(["simulate", "--jobs", "2", "--runs", "6", *args]) == 0
    assert capsys.readouterr().out == one
    _, other, _ = simulate(capsys, *args, "--seed", "2", runs=6)
    assert other != one


@pytest.mark.parametrize(
    ("defect", "name"),
    [
        ("errors=5%", "errors 5%"),
        ("leak=2%", "leak to 2% over minutes 3-13"),
        ("p99=2x", "p99 2x"),
        ("p99=+50%", "p99 +50%"),
        ("p50=90ms", "p50 90ms"),
    ],
)
def test_users_can_name_their_own_defects(write, capsys, defect, name):
    code, out, _ = simulate(capsys, write(GOOD), "--defect", defect, "--horizon", "60s", runs=1)
    assert code == 0 and f"\n{name} " in out


def test_a_defect_may_begin_after_the_promotion(write, capsys):
    code, out, _ = simulate(capsys, write(GOOD), "--turns", "errors=50%", runs=2)
    assert code == 0 and "\nerrors 50%, once promoted  2 of 2 " in out
    assert "from the moment when the defect began" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--turns", "quality=3"], "'quality=3' is not a defect: write errors=5%"),
        (["--defect", "quality=3"], "'quality=3' is not a defect: write errors=5%"),
        (["--defect", "errors=5"], "5"),
        (["--defect", "p99=0ms"], "a latency must be positive"),
        (["--defect", "p99=1000x"], "use one from 0.1 to 100"),
        (["--stable", "p98=3ms"], "is not a share of stable"),
        (["--set", "rollout.blastRadius"], "write FIELD=VALUE"),
        (["--set", "rollout.confidence=70"], "spec.rollout.confidence: "),
        (["--set", "rollout.steppes=[5]"], "did you mean steps?"),
        (["--rps", "0"], "--rps must be above 0"),
        (["--name", "other"], "ModelDeployment other is not in it"),
        (["--set", "constraints.errors=null", "--defect", "leak=5%",
          "--set", "failureModes=[{name: slow, signal: latency, response: Rollback}]"],
         "leak would not be noticed"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_said_in_one_sentence(write, capsys, args, said):
    code, out, err = simulate(capsys, write(GOOD), *args)
    assert (code, out) == (1, "") and said in err and err.count("\n") == 1


@pytest.mark.parametrize("wrong", WRONG[:8], ids=lambda wrong: wrong.title)
def test_a_wrong_manifest_gets_the_sentence_that_the_operator_would_write(write, capsys, wrong):
    code, out, err = simulate(capsys, write(wrong.manifest))
    assert (code, out) == (1, "") and f": {wrong.field}" in err and wrong.remedy in err


def test_files_that_cannot_be_read_are_exit_code_2(tmp_path, capsys):
    assert simulate(capsys, str(tmp_path / "none.yaml"))[0] == 2
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1")
    code, _, err = simulate(capsys, str(bad))
    assert code == 2 and "is not YAML" in err
    picture = tmp_path / "no" / "page.html"
    good = tmp_path / "good.yaml"
    good.write_text(yaml.safe_dump(GOOD))
    args = [str(good), "--defect", "errors=100%", "--horizon", "60s", "--picture", str(picture)]
    code, _, err = simulate(capsys, *args, runs=1)
    assert code == 2 and "cannot be written" in err


def test_one_object_of_several_is_chosen_by_name(write, capsys):
    second = GOOD | {"metadata": {"name": "second"}}
    file = write({"kind": "Service", "metadata": {"name": "x"}}, GOOD, second)
    assert "name one with --name" in simulate(capsys, file)[2]
    args = ["--name", "second", "--defect", "errors=100%", "--horizon", "60s"]
    assert simulate(capsys, file, *args, runs=1)[1].startswith("second: ")


def test_manual_steps_are_left_out_with_a_note(write, capsys):
    rollout = SPEC["rollout"] | {"steps": [10, 50], "approvals": [50]}
    obj = GOOD | {"spec": GOOD["spec"] | {"rollout": rollout, "paused": True}}
    code, out, _ = simulate(capsys, write(obj), "--defect", "errors=100%", runs=1)
    assert code == 0 and "promoted 1" in out
    assert "approvals are given at once here" in out and "paused: true is ignored here" in out


def test_stable_and_the_metrics_source_can_be_set(write, capsys):
    args = ["--stable", "errors=0.4%", "--stable", "p99=60ms", "--gateway-only", "--rps", "50"]
    code, out, _ = simulate(
        capsys, write(GOOD), *args, "--defect", "errors=100%", "--horizon", "60s", runs=1
    )
    assert code == 0 and "0.40% errors" in out and "taken as 3, patience 45s" in out
    assert "at 50 requests/s" in out


def test_the_chart_is_one_page_that_loads_nothing(write, capsys, tmp_path):
    picture = tmp_path / "page.html"
    args = ["--defect", "errors=5%", "--defect", "p99=2x", "--horizon", "10m"]
    code, out, _ = simulate(capsys, write(GOOD), *args, "--picture", str(picture))
    page = picture.read_text()
    assert code == 0 and out
    assert not re.search(r"(src|href)=|@import|url\(", page)
    drawings = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(drawings) == 3
    for drawing in drawings:
        svg = ET.fromstring(drawing)
        assert svg.find("polyline").get("points") and svg.findall("path")
    assert "rolled back after" in page and "a healthy version" in page
    html, _ = simulate(capsys, write(GOOD), *args, "-o", "html")[1:]
    assert html.strip() == page.strip()


def test_a_name_from_a_file_cannot_break_the_page(write, capsys):
    evil = GOOD | {"metadata": {"name": "<script>alert(1)</script>"}}
    code, out, err = simulate(capsys, write(evil), "-o", "html")
    assert code == 1 and "metadata.name" in err and "<script>alert" not in out


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "merit simulate fraud.yaml" in told and "blastRadius" in told

"""`merit validate`: what is refused and where, what is warned of, which stages would run."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from merit.__main__ import main
from merit.api.crd import crd
from merit.api.structural import violations
from merit.policy.state.times import stamp
from tests.api.manifests import full, good, put
from tests.api.wrong_manifests import PARAMS, Wrong

ROOT = Path(__file__).parents[2]
POD = "spec.serving.template.spec"
DIGEST = "example.com/server@sha256:" + "0" * 64


def written(tmp_path: Path, *manifests: Any) -> str:
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump_all(manifests, sort_keys=False))
    return str(path)


def validated(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main(["validate", "-o", "json", *arguments])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def test_a_good_manifest_is_valid_and_says_what_would_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = validated(capsys, written(tmp_path, good()))
    (each,) = found["objects"]
    assert (code, each["valid"], each["name"]) == (0, True, "fraud-scorer")
    assert [a["stage"] for a in each["stages"]] == ["Evaluation", "Feasibility", "Rollout", "Live"]


def test_a_load_test_is_announced_with_its_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = validated(capsys, written(tmp_path, full()))
    said = next(s for s in found["objects"][0]["stages"] if s["stage"] == "Feasibility")
    assert "60 requests a second to 2 replicas, stages of 30s" in said["what"]


@pytest.mark.parametrize("wrong", PARAMS)
def test_what_the_cluster_refuses_is_refused_here(
    wrong: Wrong, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = validated(capsys, written(tmp_path, wrong.manifest))
    errors = found["objects"][0]["errors"]
    assert code == 1
    assert any(
        e["field"].startswith(wrong.field) and wrong.remedy in e["remedy"] for e in errors
    ), errors


def test_what_only_the_schema_forbids_is_refused_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = put("spec.evaluation.job.activeDeadlineSeconds", 10**9)
    code, found = validated(capsys, written(tmp_path, far))
    (error,) = found["objects"][0]["errors"]
    assert (code, error["field"]) == (1, "spec.evaluation.job.activeDeadlineSeconds")
    assert "604800" in error["remedy"]


@pytest.mark.parametrize("manifest", [good(), full()])
def test_the_schema_forbids_nothing_that_is_good(manifest: dict[str, Any]) -> None:
    (version,) = crd()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert list(violations(manifest["spec"], schema, "spec")) == []


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": "string"}, 1, "a string"),
        ({"type": "integer"}, True, "an integer"),
        ({"type": "integer"}, 1.5, "an integer"),
        ({"type": "array", "minItems": 1}, [], "at least 1 entries"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "one of: a, b"),
        ({"type": "string", "pattern": "^a$"}, "b", "^a$"),
        ({"type": "number", "maximum": 1}, 2, "at most 1"),
        ({"type": "object", "required": ["a"]}, {"a": None}, "add a"),
        ({"type": "object", "properties": {}}, {"b": 1}, "remove it"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"b": 1}, "a string"),
        ({"type": "array", "items": {"type": "string"}}, ["a", 1], "a string"),
    ],
)
def test_each_keyword_of_the_schema_is_checked(
    schema: dict[str, Any], value: Any, said: str
) -> None:
    (found,) = violations(value, schema, "spec")
    assert said in found.remedy


def test_several_mistakes_are_reported_together_each_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = put("spec.rollout.step", [1], put("spec.owner.team", ...))
    path = written(tmp_path, wrong)
    lines = Path(path).read_text().splitlines()
    assert main(["validate", path]) == 1
    out = capsys.readouterr().out.splitlines()
    step = next(i for i, line in enumerate(lines, 1) if line.strip() == "step:")
    owner = next(i for i, line in enumerate(lines, 1) if line.strip() == "owner:")
    assert out[0].startswith(f"{path}:{step}: spec.rollout.step: ") and "did you mean" in out[0]
    assert out[1].startswith(f"{path}:{owner}: spec.owner.team: is missing; ")


def warned(
    manifest: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> list[str]:
    code, found = validated(capsys, *more, written(tmp_path, manifest))
    assert code == 0, found
    return [f"{w['field']}: {w['message']}; {w['remedy']}" for w in found["objects"][0]["warnings"]]


def clean() -> dict[str, Any]:
    """Nothing to warn of."""
    manifest = good()
    container = {
        "image": DIGEST,
        "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    for key, value in container.items():
        manifest = put(f"{POD}.containers.0.{key}", value, manifest)
    manifest = put("spec.evaluation.job.template.spec.containers.0.image", DIGEST, manifest)
    manifest = put("spec.model.uri", "oci://example.com/fraud@sha256:" + "1" * 64, manifest)
    cost = {"name": "cost", "signal": "cost", "response": "Alert"}
    return put("spec.failureModes", [*manifest["spec"]["failureModes"], cost], manifest)


def test_a_good_manifest_has_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert warned(clean(), tmp_path, capsys) == []


_ENV = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "k"}}}]
_VOLUMES = [{"name": "c", "configMap": {"name": "settings"}}]
_LOAD = {"load": {"request": {"path": "/predict", "bodiesFrom": {"configMap": "samples"}}}}

WARNINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a bound off the edges": (
        put("spec.constraints.latency.p99", "120ms", clean()),
        "spec.constraints.latency.p99",
        "use 100ms or 250ms",
    ),
    "an image by tag": (
        put(f"{POD}.containers.0.image", "example.com/server:1", clean()),
        f"{POD}.containers[0].image",
        "digest",
    ),
    "a model by tag": (
        put("spec.model.uri", "oci://example.com/fraud:1", clean()),
        "spec.model.uri",
        "digest",
    ),
    "a constraint that nobody watches": (
        put("spec.failureModes", good()["spec"]["failureModes"], clean()),
        "spec.constraints.cost",
        "signal: cost",
    ),
    "a Secret of the template": (
        put(f"{POD}.containers.0.env", _ENV, clean()),
        "spec.serving.template",
        "Secret api-key",
    ),
    "a ConfigMap of the template": (
        put(f"{POD}.volumes", _VOLUMES, clean()),
        "spec.serving.template",
        "ConfigMap settings",
    ),
    "request bodies for a load test": (
        put("spec.feasibility", _LOAD, clean()),
        "spec.feasibility.load.request.bodiesFrom",
        "ConfigMap samples is not part of any hash",
    ),
    "a template that is not restricted": (
        put(f"{POD}.containers.0.securityContext.capabilities", {}, clean()),
        f"{POD}.containers[0].securityContext",
        "capabilities: {drop: [ALL]}",
    ),
    "no requests to price": (
        put(f"{POD}.containers.0.resources", {}, clean()),
        "spec.serving.template",
        "requests.cpu",
    ),
    "a pin in Git": (
        put("spec.rollback", full()["spec"]["rollback"], clean()),
        "spec.rollback",
        "remove it",
    ),
}


@pytest.mark.parametrize("what", WARNINGS)
def test_it_warns_of(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, field, word = WARNINGS[what]
    (warning,) = warned(manifest, tmp_path, capsys)
    assert warning.startswith(f"{field}: ") and word in warning


@pytest.mark.parametrize(
    ("ahead", "word", "runs"),
    [
        (3600.0, "skips Evaluation", False),
        (90000.0, "more than 24h", True),
        (-5.0, "has expired", True),
    ],
)
def test_a_bypass_is_a_warning_and_the_stages_it_skips_do_not_run(
    ahead: float, word: str, runs: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bypass = {"stages": ["Evaluation"], "reason": "INC-1", "expires": stamp(time.time() + ahead)}
    path = written(tmp_path, put("spec.bypass", bypass, clean()))
    code, found = validated(capsys, path)
    (warning,) = found["objects"][0]["warnings"]
    assert (code, warning["field"]) == (0, "spec.bypass") and word in warning["message"]
    assert found["objects"][0]["stages"][0]["runs"] is runs


def test_the_gateways_own_edges_may_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = put("spec.constraints.latency.p99", "120ms", clean())
    assert warned(manifest, tmp_path, capsys, "--edges", "100ms,120ms,1s") == []
    with pytest.raises(SystemExit):
        main(["validate", "--edges", "soon", "x.yaml"])


def test_other_kinds_are_skipped_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    assert main(["validate", written(tmp_path, config_map, good())]) == 0
    out = capsys.readouterr().out
    assert "manifest.yaml:1: ConfigMap settings: skipped" in out
    assert "ModelDeployment fraud-scorer: valid" in out


def test_each_item_of_a_list_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [good(), put("spec.goal", ...)]}
    code, found = validated(capsys, written(tmp_path, listed))
    assert code == 1
    assert [each["valid"] for each in found["objects"]] == [True, False]
    assert found["objects"][0]["line"] < found["objects"][1]["line"]


def test_stdin_is_a_file_called_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(yaml.safe_dump(put("spec.goal", ...))))
    assert main(["validate", "-"]) == 1
    assert capsys.readouterr().out.startswith("-:")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: &a [*a]\nb: !!python/object:os.system {}",
        "kind: ModelDeployment\nkind: ModelDeployment",
        "[" * 5000,
    ],
)
def test_invalid_yaml_is_exit_code_2_and_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert main(["validate", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: is not YAML: ") and said.count("\n") == 1


def test_a_missing_file_is_exit_code_2_and_the_others_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(tmp_path / "none"), written(tmp_path, good())]) == 2
    told = capsys.readouterr()
    assert "cannot be read" in told.err and "valid" in told.out


def test_another_version_of_the_api_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = validated(capsys, written(tmp_path, good() | {"apiVersion": "merit.dev/v1"}))
    assert (code, found["objects"][0]["errors"][0]["field"]) == (1, "apiVersion")


@pytest.mark.parametrize("content", [[1], "text", 7, {"kind": "ModelDeployment"}])
def test_no_content_makes_it_raise(
    content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", written(tmp_path, content)]) in (0, 1)


def test_a_time_without_quotes_is_the_string_that_it_is_for_kubernetes() -> None:
    from merit.cli.documents import documents

    (document,) = documents("expires: 2026-11-24T00:00:00Z")
    assert document.content == {"expires": "2026-11-24T00:00:00Z"}


def test_a_version_that_kubernetes_reads_as_a_number_is_refused_with_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path(__file__).parent / "cases" / "version-is-a-git-sha.yaml"
    assert main(["validate", str(path)]) == 1
    output = capsys.readouterr().out
    assert f"{path}:31: spec.model.version: 6.063e+28 has the wrong type" in output
    assert "put it in quotes" in output


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e3", 1000.0), ("12e03", 12000.0), ("0o17", 15), ("1:20", "1:20"), ("y", True), ("=", "=")],
)
def test_a_scalar_without_quotes_is_what_it_is_for_kubernetes(text: str, value: object) -> None:
    # All kinds against a real server: tests/apiserver/test_yaml.py.
    from merit.cli.documents import documents

    (document,) = documents(f"version: {text}")
    assert document.content == {"version": value}
    (quoted,) = documents(f'version: "{text}"')
    assert quoted.content == {"version": text}


@pytest.mark.parametrize("text", [".nan", "-.INF"])
def test_what_json_cannot_have_is_no_yaml_for_kubernetes(text: str) -> None:
    from merit.cli.documents import NotYaml, documents

    with pytest.raises(NotYaml, match=f"{text} is not a number that JSON has.*line 2"):
        list(documents(f"a: 1\nb: {text}"))


def test_a_line_is_that_of_the_field_or_of_what_is_nearest() -> None:
    from merit.cli.documents import documents

    text = textwrap.dedent(
        """\
        # first
        spec:
          steps:
          - 1
          - 5
          labels: {a.b: 1}
        """
    )
    (document,) = documents(text)
    wanted = {"spec": 2, "spec.steps": 3, "spec.steps[1]": 5, "spec.steps[7]": 3, "spec.x.y": 2}
    assert {field: document.line(field) for field in wanted} == wanted


def test_it_needs_neither_the_operator_nor_a_client() -> None:
    code = (
        "import sys; from merit.__main__ import main; main(['validate', sys.argv[1]]); "
        "print([m for m in ('kopf', 'kubernetes', 'aiohttp', 'prometheus_api_client') "
        "if m in sys.modules])"
    )
    example = str(ROOT / "examples" / "good.yaml")
    done = subprocess.run(
        [sys.executable, "-c", code, example], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_every_example_is_valid(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = validated(capsys, str(path))
    assert code == 0, found

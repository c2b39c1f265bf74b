"""Manifests of real model servers: valid, with a preset each, and on the page that lists them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from merit.__main__ import main
from merit.api.host_access import host_access
from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.config import Config, load
from merit.prometheus.preset import find_preset, parse_preset
from tests.docs.pages import block

ROOT = Path(__file__).parents[2]
SERVERS = sorted((ROOT / "examples" / "servers").glob("*.yaml"))
PRESETS = sorted((ROOT / "examples" / "servers" / "presets").glob("*.yaml"))
PAGE = "docs/model-servers.md"
LANGUAGE_MODELS = {"vllm", "tgi"}
EACH = pytest.mark.parametrize("path", SERVERS, ids=lambda path: path.stem)


def manifest(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text())
    return read


def spec_of(path: Path) -> Spec:
    it = manifest(path)
    spec = parse_spec(it["spec"], name=it["metadata"]["name"])
    assert isinstance(spec, Spec), spec.sentence()
    return spec


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The configuration of the page, with the presets of the examples put in as it says."""
    raw = yaml.safe_load(block(PAGE, "sources"))
    presets = [yaml.safe_load(path.read_text()) for path in PRESETS]
    raw["metrics"]["presets"] = {preset.pop("name"): preset for preset in presets}
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(raw))
    return load(file)


def test_there_is_a_manifest_for_each_of_ten_servers() -> None:
    assert {path.stem for path in SERVERS} == {
        "bentoml", "fastapi", "kserve", "mlserver", "ray-serve",
        "tf-serving", "tgi", "torchserve", "triton", "vllm",
    }  # fmt: skip


@EACH
def test_validate_accepts_it_and_warns_of_nothing_that_it_could_avoid(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(path)]) == 0
    output = capsys.readouterr().out
    assert "valid" in output
    warnings = [line for line in output.splitlines() if ": warning: " in line]
    # A tag is what a reader can pull. A Secret holds credentials. Two servers run as root, and have
    # their own edges instead of Envoy's.
    known = ("is a tag", "reads Secret models-read")
    if path.stem in LANGUAGE_MODELS | {"triton"}:
        known += ("level restricted", "is not an edge of the gateway's histogram")
    assert [line for line in warnings if not any(part in line for part in known)] == []
    assert host_access(spec_of(path)) is None


@EACH
def test_it_declares_what_a_server_needs(path: Path) -> None:
    spec = spec_of(path)
    pod = spec.serving.template["spec"]
    server = pod["containers"][0]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(server)
    startup = server["startupProbe"]
    patience = startup["periodSeconds"] * startup["failureThreshold"]
    assert patience >= (1800 if path.stem in LANGUAGE_MODELS else 120)
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert not container["image"].endswith(":latest") and ":" in container["image"]
    assert {mode.signal for mode in spec.failure_modes} >= {"errors", "latency"}


@EACH
def test_the_model_reaches_it_by_its_uri(path: Path) -> None:
    pod = spec_of(path).serving.template["spec"]
    own_code = path.stem == "bentoml"  # reads the variable itself
    assert own_code or re.search(r"\$\(MERIT_MODEL_URI\)|\$MERIT_MODEL_URI\b", str(pod))


@EACH
def test_its_source_is_on_the_page_and_reads_this_server(path: Path, config: Config) -> None:
    spec = spec_of(path)
    assert spec.monitoring is not None
    found = config.source(manifest(path)["metadata"]["namespace"], spec.monitoring.source)
    assert found is not None
    name, source = found
    own = source.server or source.preset
    assert path.stem in (name, name.removesuffix("-python")) and own == name
    preset = find_preset(own, config.metrics.presets)
    assert preset.per_pod
    main_preset = find_preset(source.preset, config.metrics.presets)
    assert main_preset.requests[0].counts_errors and main_preset.latency[0].bucket


@EACH
def test_what_is_scraped_is_a_port_of_the_server(path: Path) -> None:
    template = spec_of(path).serving.template
    port = int(template["metadata"]["annotations"]["prometheus.io/port"])
    server = template["spec"]["containers"][0]
    assert port in {each["containerPort"] for each in server["ports"]}
    row = rf"examples/servers/{re.escape(path.name)}\) \| \d+ \| {port} "
    assert re.search(row, (ROOT / PAGE).read_text())


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_of_the_examples_is_read_and_is_on_the_page(path: Path) -> None:
    assert parse_preset(path.read_text()).name == path.stem
    assert f"../examples/servers/presets/{path.name}" in (ROOT / PAGE).read_text()


def test_the_scrape_job_of_the_page_keeps_pod_and_namespace() -> None:
    (job,) = yaml.safe_load(block(PAGE, "scrape"))
    targets = {rule.get("target_label") for rule in job["relabel_configs"]}
    assert job["job_name"] == "models" and {"namespace", "pod", "__address__"} <= targets

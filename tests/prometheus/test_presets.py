"""Every preset reads what its real server once exported: through a real Prometheus, pod by pod."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from merit.__main__ import main
from merit.prometheus.fleet import Fleet
from merit.prometheus.preset import Preset, load_preset, parse_preset, preset_names
from merit.prometheus.sampling import SampleRequest
from merit.stats.counts import Counts, NoSample, Sample
from tests.prometheus.real import SCRAPE, TRIES, Exporter, RealPrometheus

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "servers" / "presets"
RECORDED = sorted(path.stem for path in (HERE / "recorded").glob("*.txt"))
# Written by hand after the server's source: the presets of such servers are examples only.
DERIVED = sorted(path.stem for path in (HERE / "derived").glob("*.txt"))
# What was sent while it was recorded: requests, failures, and how many took more than the bound.
SENT = {
    "bentoml": (21, 1, 0.25, 0),
    "fastapi": (21, 1, 0.5, 2),
    "kserve-python": (21, None, 0.1, 0),
    "mlserver": (21, 1, 0.25, 0),
    "ray-serve": (22, 1, 1.0, 2),
    "tf-serving": (26, 1, 0.12144, 2),  # five are requests of metadata
    "tgi": (21, 1, 0.098526126, 2),
    "traefik": (21, 1, 0.25, 2),
    "vllm": (11, 0, 0.02, 3),  # time to the first token; the 404 has none
}
TIMED = {"tf-serving": 18, "tgi": 20, "vllm": 10}  # what the histogram holds, where that differs


def preset_of(server: str) -> Preset:
    if server in DERIVED:
        return parse_preset((EXAMPLES / f"{server}.yaml").read_text())
    return load_preset(server)


def pod(server: str, short: str) -> str:
    return f"{server}-{short}-7d4f9c5b6-x2x7q"


def times(text: str, factor: int) -> str:
    """The same exposition after `factor` times as many of the same requests."""

    def more(found: re.Match[str]) -> str:
        return f"{found[1]} {float(found[2]) * factor}"

    return re.sub(r"^([a-zA-Z_:][^#\n]*?) ([0-9.e+-]+)$", more, text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    exporter = Exporter()
    jobs = {}
    for server in (*RECORDED, *DERIVED):
        folder = "derived" if server in DERIVED else "recorded"
        text = (HERE / folder / f"{server}.txt").read_text()
        if preset_of(server).arm is not None:  # a gateway tells of all revisions by itself
            exporter.pods[server] = text
            jobs[server] = {server: {}}
            continue
        pods = {pod(server, short): {"namespace": "ml"} for short in ("aaaaaaaa", "bbbbbbbb")}
        for name, labels in pods.items():
            exporter.pods[name] = text
            labels["pod"] = name
        jobs[server] = pods
    prometheus = RealPrometheus(tmp_path_factory.mktemp("presets"), exporter, jobs)
    yield exporter, prometheus
    prometheus.close()
    exporter.close()


@pytest.mark.parametrize("server", SENT)
async def test_a_servers_own_metrics_count_what_was_sent(world, server):
    exporter, prometheus = world
    n, bad, bound, slow = SENT[server]
    preset = preset_of(server)
    label = preset.arm.label if preset.arm else "pod"
    await prometheus.seen(f'count(count by ({label}) ({{job="{server}"}} offset 2s))', 2)
    reader = Fleet(prometheus.client, preset, matchers={"job": server}, scrape=SCRAPE)
    edges = {"latency/p99": bound} | ({"errors": None} if bad is not None else {})
    arms = SampleRequest("ml", server, "aaaaaaaa", "bbbbbbbb", 80, None, edges)
    first = await _answered(reader, arms)
    for name in (server,) if preset.arm else map(partial(pod, server), ("aaaaaaaa", "bbbbbbbb")):
        exporter.pods[name] = times(exporter.pods[name], 2)
    counted: dict[str, Counts] = {}
    since = first.at
    for _ in range(TRIES):
        sample = await _answered(reader, replace(arms, since=since))
        since = sample.at
        for name, pair in sample.signals.items():
            counted[name] = counted.get(name, Counts()) + pair.candidate
        if counted and all(counts.n >= TIMED.get(server, n) for counts in counted.values()):
            break
        await asyncio.sleep(0.1)
    assert counted["latency/p99"] == Counts(TIMED.get(server, n), slow)
    if bad is not None:
        assert counted["errors"] == Counts(n, bad)
    else:
        lost = reader.sample(
            SampleRequest("ml", server, None, "bbbbbbbb", 80, None, {"errors": None})
        )
        assert isinstance(lost, NoSample) and "gateway" in lost.message


async def _answered(reader: Fleet, arms: SampleRequest) -> Sample:
    for _ in range(TRIES):
        await reader.poll()
        sample = reader.sample(arms)
        if isinstance(sample, Sample):
            return sample
        await asyncio.sleep(0.1)
    raise AssertionError(sample)


async def test_what_traefik_could_not_deliver_is_an_error_of_that_revision(world):
    exporter, prometheus = world
    reader = Fleet(prometheus.client, load_preset("traefik"), matchers={"job": "traefik"}, scrape=1)
    arms = SampleRequest("ml", "traefik", None, "cccccccc", 80, None, {"errors": None})
    first = await _answered(reader, arms)
    exporter.pods["traefik"] = times(exporter.pods["traefik"], 2)
    found = Counts()
    since = first.at
    for _ in range(TRIES):
        sample = await _answered(reader, replace(arms, since=since))
        since = sample.at
        found += sample.signals["errors"].stable if sample.signals else Counts()
        if found.n:
            break
        await asyncio.sleep(0.1)
    assert found.n > 0 and found.bad == found.n


@pytest.mark.parametrize("server", ["torchserve", "triton"])
async def test_a_server_without_errors_and_percentiles_still_tells_whether_requests_end(
    world, server
):
    exporter, prometheus = world
    await prometheus.seen(f'count(count by (pod) ({{job="{server}"}} offset 2s))', 2)
    reader = Fleet(prometheus.client, load_preset(server), matchers={"job": server}, scrape=SCRAPE)
    arms = SampleRequest("ml", server, "aaaaaaaa", "bbbbbbbb", 80)
    await _answered(reader, arms)
    lost = reader.sample(replace(arms, edges={"errors": None}))
    assert isinstance(lost, NoSample) and "read them at a gateway" in lost.message
    mean = reader.sample(replace(arms, edges={"latency/p99": 0.1}))
    assert isinstance(mean, NoSample) and mean.reason == "MeanOnly"
    assert reader.idle("ml", server, "aaaaaaaa", 80)
    exporter.pods[pod(server, "aaaaaaaa")] = times(exporter.pods[pod(server, "aaaaaaaa")], 2)
    for _ in range(TRIES):
        await reader.poll()
        if not reader.idle("ml", server, "aaaaaaaa", 80):
            break
        await asyncio.sleep(0.1)
    assert not reader.idle("ml", server, "aaaaaaaa", 80)
    assert reader.idle("ml", server, "bbbbbbbb", 80)


def test_triton_counts_a_failing_model_as_a_success():
    # Why its preset reads no errors: 20 good answers and one HTTP 500, and this is what it says.
    text = (HERE / "recorded" / "triton.txt").read_text()
    assert 'nv_inference_request_success{model="fraud",version="1"} 21' in text
    failures = re.findall(r"^nv_inference_request_failure.* (\d+)$", text, re.MULTILINE)
    assert failures and set(failures) == {"0"}
    assert not load_preset("triton").requests[0].counts_errors


@pytest.mark.parametrize("server", RECORDED)
def test_a_recording_names_its_version_and_how_it_was_made(server):
    first = (HERE / "recorded" / f"{server}.txt").read_text().splitlines()[0]
    version = re.search(r"\d+\.\d+\.\d+", first)
    assert version and version[0] in load_preset(server).tested


@pytest.mark.parametrize("server", DERIVED)
def test_a_preset_that_no_server_was_read_with_says_so(server):
    first = (HERE / "derived" / f"{server}.txt").read_text().splitlines()[0]
    version = re.search(r"\d+\.\d+\.\d+", first)
    assert "derived" in first and version and version[0] in preset_of(server).tested
    assert "not yet against a real server" in preset_of(server).tested
    assert server not in preset_names()


def test_every_preset_of_the_package_was_tested():
    # Envoy and the client library are read in tests of their own, from living exporters.
    assert set(preset_names()) == {*RECORDED, "contour-envoy", "prometheus-client"}


def test_presets_are_listed(capsys):
    assert main(["presets", "list"]) == 0
    output = capsys.readouterr().out
    assert all(name in output for name in preset_names()) and "gateway" in output


async def check(*words: str) -> int:
    return await asyncio.to_thread(main, ["presets", "check", *words])


async def test_a_check_says_what_is_there_and_which_bound_is_an_edge(world, capsys):
    _, prometheus = world
    await prometheus.seen('count(count by (pod) ({job="mlserver"}))', 2)
    code = await check(
        "--url", prometheus.url, "--preset", "mlserver", "--matchers", "job=mlserver",
        "--bound", "250ms", "--bound", "300ms",
    )  # fmt: skip
    output = capsys.readouterr().out
    assert code == 0, output
    assert "ml/mlserver-aaaaaaaa" in output and "2 of 2 answer" in output
    assert "250ms is an edge" in output and "BucketsTooCoarse" in output


async def test_a_check_of_the_wrong_preset_names_the_missing_series_and_the_remedy(world, capsys):
    _, prometheus = world
    code = await check("--url", prometheus.url, "--preset", "contour-envoy", "--matchers", "job=x")
    output = capsys.readouterr().out
    assert code == 1 and "NoSeries" in output and "envoy_cluster_upstream_rq_xx" in output
    assert "-> check the metrics source and its preset" in output


async def test_a_check_of_a_configuration_reads_every_source(world, capsys, tmp_path):
    _, prometheus = world
    await prometheus.seen('count(count by (pod) ({job="bentoml"}))', 2)
    config = tmp_path / "config.yaml"
    config.write_text(
        "metrics:\n  presets:\n    mine:\n      tested: here\n      pod: {}\n"
        "      requests: {series: rest_server_requests_total}\n"
        "  sources:\n"
        f"    a:\n      prometheus: &it {{url: '{prometheus.url}'}}\n"
        "      preset: bentoml\n      matchers: {job: bentoml}\n"
        "    b: {prometheus: *it, preset: mine, matchers: {job: mlserver},\n"
        "        server: mlserver, serverMatchers: {job: mlserver}}\n"
    )
    assert await check("--config", str(config)) == 0
    output = capsys.readouterr().out
    assert "a: bentoml" in output and "b: mine" in output and "b: mlserver" in output
    assert "counts no errors" in output
    assert await check("--config", str(config), "--source", "c") == 2
    assert "no source 'c'" in capsys.readouterr().err


async def test_a_prometheus_that_is_gone_is_missing_metrics(capsys):
    assert await check("--url", "http://127.0.0.1:9", "--preset", "bentoml") == 1
    assert "MetricsLost" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("arm: {label: a, is: '{who}'}\nrequests: {series: x}", "who"),
        ("requests: {series: x}", "arm"),
        ("pod: {}\nrequests: {series: x, class: code}", "errors"),
        ("pod: {}\nrequests: {series: x, class: code, errors: ['5'], failed: y}", "one of them"),
        ("pod: {}\nrequests: {series: x}\nlatency: {unit: s}", "bucket"),
        ("pod: {}\nrequests: {series: 'x y'}", "series"),
        ("pod: {}\nrequests: {series: x, class: code, errors: ['(']}", "preset"),
    ],
)
def test_a_wrong_preset_is_one_sentence_that_names_the_mistake(text, word):
    with pytest.raises(ValueError, match=word) as error:
        parse_preset(f"name: mine\ntested: never\n{text}\n")
    assert "\n" not in str(error.value)

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from merit.prometheus import client
from merit.prometheus.answer import parse
from merit.prometheus.client import Prometheus
from merit.prometheus.preset import load_preset, parse_preset


@pytest.fixture
def server():
    """Answers every request with `server.reply` = (status, headers, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(parse_qs(urlparse(self.path).query))
            status, headers, body = self.server.reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.asked = []
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


async def ask(server, query="up", at=None):
    prometheus = Prometheus(f"http://127.0.0.1:{server.server_port}", timeout=60)
    try:
        return await prometheus.instant(query, at)
    finally:
        prometheus.close()


def body(kind, result, **more):
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data, **more}).encode()


async def test_a_range_of_raw_samples_is_read_with_labels_and_times(server):
    metric = {"__name__": "x_total", "job": "envoy"}
    server.reply = (200, {}, body("matrix", [{"metric": metric, "values": [[1.5, "3"]]}]))
    answer = await ask(server, "x_total[5s]", 17.25)
    assert answer.series[0].labels == {"job": "envoy"}
    assert answer.series[0].samples == ((1.5, 3.0),)
    assert server.asked[0]["time"] == ["17.250"]


async def test_warnings_make_an_answer_partial(server):
    server.reply = (200, {}, body("vector", [], warnings=["store 3 is down"]))
    answer = await ask(server)
    assert answer.reason == "Partial" and "store 3" in answer.message


PARTS = Path(__file__).parent / "parts"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("prometheus-2.53-info.json", ""),
        ("prometheus-3-info.json", ""),
        ("prometheus-3-warning.json", "Partial"),
        ("thanos-store-down.json", "Partial"),
        ("victoriametrics-partial.json", "Partial"),
    ],
)
async def test_a_remark_about_a_name_is_no_loss_and_an_answer_without_a_store_is(
    server, file, reason
):
    server.reply = (200, {}, (PARTS / file).read_bytes())
    answer = await ask(server)
    assert answer.reason == reason
    assert bool(answer.series) is not bool(reason)


@pytest.mark.parametrize(
    "reply",
    [
        (503, {}, b"no"),
        (400, {}, b'{"status":"error","error":"bad"}'),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b'{"status":"success"}'),
    ],
    ids=["unavailable", "refused", "a redirect", "a page", "a list", "no data"],
)
async def test_what_is_no_answer_is_lost_metrics_at_the_first_try(server, reply):
    server.reply = reply
    answer = await ask(server)
    assert answer.reason == "MetricsLost" and answer.message and not answer.series
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "page",
    [
        b"407 for\nGET /api/v1/query\nAuthorization: Bearer s3cret-token\nX-Scope-OrgID: risk-team",
        b'{"status":"error","errorType":"proxy","error":"denied: Bearer s3cret-token"}',
        b'{"status":"error","errorType":"proxy","error":"no tenant risk-team"}',
        b'{"error":"Bearer s3cret-token"}',
        b'["s3cret-token"]',
    ],
    ids=["a page", "an error", "another header", "no error of Prometheus", "a list"],
)
async def test_what_a_proxy_repeats_of_the_request_is_not_repeated(server, tmp_path, page):
    (tmp_path / "token").write_text("s3cret-token\n")
    server.reply = (407, {}, page)
    prometheus = Prometheus(
        f"http://127.0.0.1:{server.server_port}",
        timeout=60,
        headers={"X-Scope-OrgID": "risk-team"},
        token_file=str(tmp_path / "token"),
    )
    answer = await prometheus.instant("up")
    prometheus.close()
    assert answer.message == "Prometheus refused: HTTP 407"


async def test_prometheus_own_word_about_a_query_is_told(server):
    error = 'invalid parameter "query": 1:4: parse error:\n unexpected end of input'
    reply = {"status": "error", "errorType": "bad_data", "error": error}
    server.reply = (400, {}, json.dumps(reply).encode())
    answer = await ask(server, "sum(")
    assert answer.message == f"Prometheus refused: {' '.join(error.split())}"


async def test_an_answer_that_is_too_large_is_not_read(server, monkeypatch):
    monkeypatch.setattr(client, "MAX_ANSWER", 1024 * 1024)
    server.reply = (200, {}, b" " * 2_000_000)
    assert "larger than 1 MiB" in (await ask(server)).message


async def test_a_closed_port_is_lost_metrics():
    prometheus = Prometheus("http://127.0.0.1:9", timeout=1)
    answer = await prometheus.instant("up")
    prometheus.close()
    assert answer.reason == "MetricsLost" and "unreachable" in answer.message
    assert "127.0.0.1" not in answer.message  # it goes into the status of whoever asked


def test_nan_and_infinity_are_no_samples_and_a_scalar_is_one_series():
    data = {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}
    assert parse({"data": data}).series[0].samples == ()
    assert parse({"data": {"resultType": "scalar", "result": [5, "7"]}}).series[0].samples == (
        (5.0, 7.0),
    )


def test_the_shipped_preset_names_an_arm_as_contour_does():
    preset = load_preset("contour-envoy")
    assert preset.arm_names("ml", "fraud-1b2ac0de", 80) == ("ml_fraud-1b2ac0de_80",)
    assert preset.latency[0].edge(0.12) == 120


@pytest.mark.parametrize("name", ["nowhere", "../secrets", ""])
def test_a_preset_that_is_not_there_is_one_sentence(name):
    with pytest.raises(ValueError, match="preset"):
        load_preset(name)


def test_a_malformed_preset_is_one_sentence():
    with pytest.raises(ValueError, match="requests"):
        parse_preset("name: x\ntested: never\narm: {label: a, is: '{namespace}'}\n")

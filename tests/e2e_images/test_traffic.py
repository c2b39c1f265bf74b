import base64
import json
from itertools import islice
from typing import Any

from e2e.model import data
from e2e.traffic import targets
from e2e.traffic.counter import Counts


def result(code: int, *, body: dict[str, Any] | None = None, error: str = "") -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(body).encode()).decode() if body else ""
    return {"code": code, "error": error, "body": encoded}


def test_a_target_is_one_line_that_vegeta_reads() -> None:
    for line in islice(
        targets.lines("http://gateway/predict", "fraud.example.com", data.live()), 20
    ):
        assert "\n" not in line
        target = json.loads(line)
        assert (target["method"], target["url"]) == ("POST", "http://gateway/predict")
        assert target["header"]["Host"] == ["fraud.example.com"]
        assert set(json.loads(base64.b64decode(target["body"]))) == {"features"}


def test_an_answer_above_the_limit_is_slow_whatever_it_says() -> None:
    counts = Counts(limit=0.25)
    counts.add(result(200) | {"latency": 251_000_000})
    counts.add(result(500) | {"latency": 900_000_000})
    counts.add(result(200) | {"latency": 249_000_000})
    assert json.loads(counts.line(at=1.0))["slow"] == 2


def test_every_answer_is_counted_once_and_no_answer_is_a_failure() -> None:
    counts = Counts()
    counts.add(result(200, body={"version": "good", "scores": [0.1]}))
    counts.add(result(500, body={"version": "failing", "error": "KeyError"}, error="500 Internal"))
    counts.add(result(503, error="503 Service Unavailable"))
    counts.add(result(0, error="connection refused"))
    line = json.loads(counts.line(at=1.0))
    assert (line["total"], line["ok"], line["failed"]) == (4, 1, 3)
    assert line["codes"] == {"0": 1, "200": 1, "500": 1, "503": 1}
    assert line["versions"] == {"failing/failed": 1, "good/ok": 1, "none/failed": 2}
    assert line["lastError"] == "connection refused"

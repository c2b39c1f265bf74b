"""Serves one version over HTTP: POST /predict, GET /healthz, /readyz and /metrics.

On SIGTERM it says "not ready" and goes on answering for a while: the gateway learns of a leaving
pod later than the pod does, and a request sent in between must not fail.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from e2e.model import versions
from e2e.model.evaluate import SCORE_EDGES

LINGER = 6.0  # seconds of service after SIGTERM
MAX_BODY = 64 * 1024

REQUESTS = Counter("model_requests_total", "Predictions asked for, by answer.", ["code"])
DURATION = Histogram(
    "model_request_duration_seconds",
    "Time from the request's first byte read to its answer written.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
SCORE = Histogram("model_prediction_score", "Probability of fraud.", buckets=SCORE_EDGES)


class Server(ThreadingHTTPServer):
    """A thread a connection: the gateway keeps a few and reuses them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], model: versions.Model) -> None:
        super().__init__(address, Handler)
        self.model = model
        self.leaving = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # An answer goes out at once: with Nagle's algorithm its second packet waits 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            self._answer_json(200, {"status": "alive"})
        elif self.path == "/readyz":
            leaving = self.server.leaving.is_set()
            self._answer_json(
                503 if leaving else 200, {"status": "leaving" if leaving else "ready"}
            )
        else:
            self._answer_json(404, {"error": "there are /predict, /healthz, /readyz, /metrics"})

    def do_POST(self) -> None:
        started = time.perf_counter()
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            code, answer = 413, {"error": f"a body may have {MAX_BODY} bytes"}
        elif self.path != "/predict":
            self.rfile.read(length)
            self._answer_json(404, {"error": "POST goes to /predict"})
            return
        else:
            code, answer = self._predict(self.rfile.read(length))
        # Counted before it is sent: who has the answer finds it in the next scrape.
        REQUESTS.labels(str(code)).inc()
        DURATION.observe(time.perf_counter() - started)
        self._answer_json(code, answer)

    def _predict(self, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            asked = json.loads(body)["features"]
            rows = asked if isinstance(asked, list) else [asked]
        except (ValueError, KeyError, TypeError):
            return 400, {"error": 'the body is {"features": {...}}, or a list of such features'}
        try:
            scores = [self.server.model.score(row) for row in rows]
        except Exception as error:
            # Whatever a version's pipeline raises is an error of this service, not of the caller.
            return 500, {"error": f"{type(error).__name__}: {error}"}
        for score in scores:
            SCORE.observe(score)
        answer = {"scores": [round(score, 4) for score in scores]}
        return 200, answer

    def _answer_json(self, code: int, value: dict[str, Any]) -> None:
        named = {
            "version": self.server.model.version,
            **value,
        }  # so that a client can tell them apart
        self._answer(code, json.dumps(named).encode(), "application/json")

    def _answer(self, code: int, body: bytes, content_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.server.leaving.is_set():
            # The gateway then keeps no connection that this process is about to close.
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted, not logged."""


class DualStackServer(Server):
    """Listens on IPv4 and, where the pod has it, IPv6."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET


def main() -> None:
    """Trains the version that `MERIT_MODEL_URI` names, then serves it until SIGTERM."""
    started = time.perf_counter()
    model = versions.load(os.environ.get("MERIT_MODEL_VERSION", ""), os.environ["MERIT_MODEL_URI"])
    server = DualStackServer(("", int(os.environ.get("PORT", "8080"))), model)
    print(f"serving {model.version} after {time.perf_counter() - started:.1f} s", flush=True)

    def leave(*_: Any) -> None:
        if not server.leaving.is_set():
            server.leaving.set()
            timer = threading.Timer(LINGER, server.shutdown)
            timer.daemon = True
            timer.start()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    server.serve_forever(poll_interval=0.2)
    server.server_close()


if __name__ == "__main__":
    main()

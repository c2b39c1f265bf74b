"""A real Prometheus on loopback, and real exporters for it to scrape."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry, generate_latest

from e2e.cluster import debs
from merit.prometheus.client import Prometheus

SCRAPE = 1.0  # seconds
PATIENCE = 60.0  # seconds that a scrape, or a start, may take on a busy machine
TRIES = 600  # of something that is tried ten times a second, before the test gives up


Reported = CollectorRegistry | str | Callable[[], str]


@dataclass
class Exporter:
    """Serves what each pod exports under a path of its own; pods come and go."""

    pods: dict[str, Reported] = field(default_factory=dict)

    def __post_init__(self) -> None:
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reported = exporter.pods.get(self.path.strip("/"))
                self.send_response(404 if reported is None else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.end_headers()
                if reported is not None:
                    with contextlib.suppress(ConnectionError):  # the scrape has timed out
                        self.wfile.write(_text(reported))

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_port
        threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def close(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()


def _text(reported: Reported) -> bytes:
    if isinstance(reported, CollectorRegistry):
        return generate_latest(reported)
    return (reported if isinstance(reported, str) else reported()).encode()


class RealPrometheus:
    """One server. `jobs`: what it scrapes, job -> pod -> the labels that service discovery adds.

    `scrape`: seconds between two scrapes. `scrape_configs`: more settings by job. `query_log` is
    where it logs each query.
    """

    def __init__(
        self,
        folder: Path,
        exporter: Exporter | None = None,
        jobs: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None,
        history: str = "",
        *,
        scrape: float = SCRAPE,
        scrape_configs: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self._folder = folder
        self.query_log = folder / "queries"
        data = folder / "data"
        if history:
            _backfill(folder, data, history)
        config = {
            "global": {
                "scrape_interval": f"{scrape:.0f}s",
                "scrape_timeout": f"{scrape:.0f}s",
                "query_log_file": str(self.query_log),
            },
            "scrape_configs": [
                _job(job, pods, exporter.port if exporter else 0)
                | (scrape_configs or {}).get(job, {})
                for job, pods in (jobs or {}).items()
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        program = debs.package("prometheus") / "usr/bin/prometheus"
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=30d",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--enable-feature=native-histograms",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.client = Prometheus(self.url)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, (self._folder / "log").read_text()
                time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    async def seen(self, query: str, at_least: float = 1.0) -> None:
        """Until the query's only value is so large."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = await self.client.instant(query)
            if answer.series and answer.series[0].samples[-1][1] >= at_least:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{query} was not at least {at_least} in {PATIENCE:.0f} s")

    def close(self) -> None:
        """End it at once: nothing of it is kept."""
        self.client.close()
        self._process.kill()
        self._process.wait(timeout=PATIENCE)
        self._log.close()


def _job(job: str, pods: Mapping[str, Mapping[str, str]], port: int) -> dict[str, object]:
    return {
        "job_name": job,
        "static_configs": [
            {
                "targets": [f"127.0.0.1:{port}"],
                "labels": {"__metrics_path__": f"/{pod}", "instance": pod, **labels},
            }
            for pod, labels in pods.items()
        ],
    }


def _backfill(folder: Path, data: Path, history: str) -> None:
    """OpenMetrics with times becomes blocks, as if it had been scraped then."""
    promtool = debs.package("promtool") / "usr/bin/promtool"
    text = folder / "history.txt"
    text.write_text(history)
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", text, data],
        check=True,
        capture_output=True,
    )


def _free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])

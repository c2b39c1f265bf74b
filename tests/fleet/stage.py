"""A fleet: its control plane, its Prometheus, its crowd, and the operator as it is shipped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from e2e.cluster.controlplane import ControlPlane
from e2e.dataplane.apply import GATEWAY_API, module
from merit.cluster.kinds import collection
from merit.traffic.gateway_api import weights_of
from tests.apiserver.conftest import CRDS
from tests.apiserver.stage import GATEWAY, VERSIONS
from tests.conftest import CRD, ROOT, define
from tests.fleet import asked
from tests.fleet.crowd import Crowd, Line
from tests.fleet.objects import (
    CANARY_RPS,
    NAMESPACE,
    STABLE_RPS,
    Arm,
    canaries_of,
    gateway,
    manifest,
    servers,
)
from tests.metrics.real import Exporter, RealPrometheus

OPERATOR = "merit"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
MEASURED = "patch modeldeployments"  # the one call that a look at a fleet may lead to
HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between scrapes, between looks at the exposed objects and at everybody, and between
    readings of the long windows of distributions.
    """

    scrape: int
    fast: int
    live: int
    drift: int


class Operator:
    """`merit run` as its image starts it."""

    def __init__(self, plane: ControlPlane, directory: Path, config: dict[str, Any]) -> None:
        file = directory / "operator.yaml"
        file.write_text(yaml.safe_dump(config))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        self.log = directory / "operator.log"
        listen = ("--listen", f"127.0.0.1:{self._port}", "--namespace", NAMESPACE)
        self._began = time.monotonic()
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "merit", "run", "--config", file, *listen],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "KUBECONFIG": str(plane.kubeconfig_for(OPERATOR)),
                    "PYTHONPATH": str(ROOT / "operator"),
                },
            )

    def told(self) -> dict[str, float]:
        """Its own metrics, each summed over its labels; none before it listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as it:
                text = it.read().decode()
        except OSError:
            return {}
        found: Counter[str] = Counter()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] += sample.value
        return dict(found)

    def knows(self) -> int:
        """Objects that it has looked at since it began."""
        return round(self.told().get("merit_objects", 0.0))

    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def alive(self) -> bool:
        """Whether it runs still."""
        return self._process.poll() is None

    def seconds(self) -> float:
        """Of a processor, so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / HERTZ

    def memory(self, what: str = "VmRSS") -> float:
        """MiB that it holds, or held at most (VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        found = next(line for line in status if line.startswith(f"{what}:"))
        return int(found.split()[1]) / 1024

    def end(self) -> None:
        """As a kubelet does."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        finally:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, slots=True)
class Seen:
    """What some time brought: `calls` of the API server by the operator, and queries.

    `answered`: Prometheus' own counter of them. `seconds`: of a processor, by the operator.
    """

    lasted: float
    asked: asked.Asked
    answered: int
    calls: Counter[str]
    seconds: float


@dataclass
class Fleet:
    """From `with` to its end. `directory` holds everything."""

    directory: Path
    rhythm: Rhythm
    arms: list[Arm] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        plane = ControlPlane(
            self.directory / "plane", tokens={OPERATOR: ("system:masters",)}, audit=True
        )
        self._plane = self._stack.enter_context(plane)
        define(plane, str(CRD))
        define(plane, str(module(GATEWAY_API) / CRDS / "gateway.networking.k8s.io_httproutes.yaml"))
        plane.kubectl("create", "namespace", NAMESPACE)
        exporter = Exporter({"envoy": self._gateway, "servers": self._servers})
        self._stack.callback(exporter.close)
        jobs: dict[str, dict[str, dict[str, str]]] = {
            "envoy": {"envoy": {}},
            "servers": {"servers": {}},
        }
        folder = self.directory / "prometheus"
        folder.mkdir()
        self.prometheus = RealPrometheus(folder, exporter, jobs, scrape=self.rhythm.scrape)
        self._stack.callback(self.prometheus.close)
        self._api = Line(plane)
        self._stack.callback(self._api.close)
        self.crowd = Crowd(plane, NAMESPACE)
        self._stack.callback(self.crowd.close)
        self.operator = self._operator()
        self._stack.callback(lambda: self.operator.end())

    def _operator(self) -> Operator:
        rhythm = self.rhythm
        source = {
            "prometheus": {"url": self.prometheus.url},
            "preset": "contour-envoy",
            "matchers": {"job": "envoy"},
            "server": "prometheus-client",
            "serverMatchers": {"job": "servers"},
            "queries": {"namespaces": [NAMESPACE]},
        }
        config = {
            "metrics": {"default": "prometheus", "sources": {"prometheus": source}},
            "judgement": {"scrape": f"{rhythm.scrape}s"},
            "tick": {"fast": f"{rhythm.fast}s", "live": f"{rhythm.live}s"},
            "drift": {"every": f"{rhythm.drift}s"},
        }
        return Operator(self._plane, self.directory, config)

    def restart(self) -> None:
        """A new operator, which knows nothing."""
        self.operator.end()
        self.operator = self._operator()

    def declare(self, numbers: Iterable[int], version: str, rps: float) -> None:
        """Users apply that version of these objects."""
        for number in numbers:
            obj = manifest(f"model-{number:04d}", version)
            self._api.apply(obj, "kubectl")
            self.arms.append(Arm.of(obj, rps))

    def begin(self, objects: int, limit: float = 300.0) -> float:
        """Until there are so many, all of them served by a version. Seconds that it took."""
        there, began = self.phases().total(), time.monotonic()
        self.declare(range(there, objects), "1", STABLE_RPS)
        self.wait(lambda: self._serving() == objects, f"{objects} Live", limit)
        return time.monotonic() - began

    def expose(self, objects: int, limit: float = 300.0) -> float:
        """Until every fourth of so many is in its canary. Seconds that it took."""
        there, began = self._split(), time.monotonic()
        canaries = canaries_of(objects)
        self.declare(canaries[there:], "2", CANARY_RPS)
        self.wait(lambda: self._split() == len(canaries), f"{len(canaries)} canaries", limit)
        return time.monotonic() - began

    def settle(self, quiet: float, limit: float = 300.0) -> None:
        """Until nothing is written for so many seconds but what is measured."""
        self.wait(lambda: set(self.watch(quiet).calls) <= {MEASURED}, "settled", limit)

    def phases(self) -> Counter[str]:
        """How many objects are in each phase, as `kubectl get mdep` prints them."""
        path = collection(VERSIONS["ModelDeployment"], "ModelDeployment", NAMESPACE)
        table = self._api.call("GET", path + "?includeObject=None", accept=TABLE)
        column = [c["name"].upper() for c in table["columnDefinitions"]].index("PHASE")
        return Counter(str(row["cells"][column]) for row in table["rows"])

    def wait(self, until: Callable[[], bool], what: str, limit: float = 300.0) -> float:
        """Until it is so. Returns the seconds that it took."""
        began = time.monotonic()
        while not until():
            assert not self.crowd.failed, self.crowd.failed
            assert self.operator.alive(), self.operator.log.read_text()
            passed = time.monotonic() - began
            assert passed < limit, (
                f"{what}: {self.phases()}\n{self.operator.log.read_text()[-4000:]}"
            )
            time.sleep(0.2)
        return time.monotonic() - began

    def _serving(self) -> int:
        phases = self.phases()
        return phases["Live"] + phases["Canary 10%"]

    def _split(self) -> int:
        """Routes that send a part of the traffic elsewhere."""
        listed = self._api.call("GET", collection(GATEWAY, "HTTPRoute", NAMESPACE))
        shares = [weights_of(route) for route in listed["items"]]
        return sum(sum(weight > 0 for weight in each.values()) > 1 for each in shares)

    def watch(self, seconds: float, looks: int = 0) -> Seen:
        """Let so much time pass, and so many looks at everybody; tell what that cost."""
        _, log = asked.read(self.prometheus.query_log)
        _, audit = self._calls(0)
        answered, used, began = self.answered(), self.operator.seconds(), time.monotonic()
        time.sleep(seconds)
        while True:
            queries, _ = asked.read(self.prometheus.query_log, log)
            found = asked.counted(queries)
            if len(found.everybody) >= looks:
                break
            assert time.monotonic() - began < 10 * seconds, found
            time.sleep(1.0)
        lasted = time.monotonic() - began
        calls, _ = self._calls(audit)
        used = self.operator.seconds() - used
        return Seen(lasted, found, self.answered() - answered, calls, used)

    def answered(self) -> int:
        """Queries that this Prometheus has counted."""
        with urllib.request.urlopen(f"{self.prometheus.url}/metrics", timeout=5) as response:
            text = response.read().decode()
        return sum(
            round(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "prometheus_http_requests_total"
            and sample.labels["handler"].startswith("/api/v1/")
        )

    def noted(self) -> int:
        """Queries in its log."""
        return len(asked.read(self.prometheus.query_log)[0])

    def _calls(self, offset: int) -> tuple[Counter[str], int]:
        """What the API server noted of the operator's calls, watches and the Lease aside."""
        assert self._plane.audit_log is not None
        with self._plane.audit_log.open("rb") as file:
            file.seek(offset)
            told = file.read()
        whole = told[: told.rfind(b"\n") + 1]
        found: Counter[str] = Counter()
        for line in whole.splitlines():
            event = json.loads(line)
            resource = event.get("objectRef", {}).get("resource", "")
            if event["user"]["username"] != OPERATOR or resource == "leases":
                continue
            if event["verb"] != "watch":
                found[f"{event['verb']} {resource}"] += 1
        return found, offset + len(whole)

    def _gateway(self) -> str:
        return gateway(list(self.arms))

    def _servers(self) -> str:
        return servers(list(self.arms))

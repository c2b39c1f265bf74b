"""A fleet: control plane, Prometheus, actors, and the operator as a process as it is shipped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from e2e.cluster.controlplane import ControlPlane
from merit.kube.kinds import collection
from merit.traffic.gateway_api import weights_of
from tests.apiserver.api import VERSIONS
from tests.apiserver.crds import ROOT, define_gateway_api, define_merit
from tests.fleet import query_log
from tests.fleet.actors import AdminConnection, FleetActors
from tests.fleet.objects import (
    CANARY_RPS,
    NAMESPACE,
    STABLE_RPS,
    RevisionPods,
    canaries_of,
    gateway_metrics,
    manifest,
    server_metrics,
)
from tests.prometheus.real import Exporter, RealPrometheus

OPERATOR = "merit"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
MEASURED = "patch modeldeployments"  # the only call that a poll of the fleet may cause
HERTZ = os.sysconf("SC_CLK_TCK")
PATIENCE = 600.0  # seconds; only what never happens takes so long


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two scrapes, polls of the exposed objects, polls of all objects, and readings
    of the long windows of distributions.
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
            port: int = free.getsockname()[1]
        self._metrics = f"http://127.0.0.1:{port}/metrics"
        self.log = directory / "operator.log"
        listen = ("--listen", f"127.0.0.1:{port}", "--namespace", NAMESPACE)
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

    def metrics(self) -> dict[str, float]:
        """Its own metrics, each summed over its labels; none before it listens."""
        try:
            with urllib.request.urlopen(self._metrics, timeout=60) as reply:
                text = reply.read().decode()
        except OSError:
            return {}
        found: Counter[str] = Counter()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] += sample.value
        return dict(found)

    def objects(self) -> int:
        """Objects that it has reconciled since it was started."""
        return round(self.metrics().get("merit_objects", 0.0))

    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def alive(self) -> bool:
        """Whether it is still running."""
        return self._process.poll() is None

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / HERTZ

    def memory(self, what: str = "VmRSS") -> float:
        """MiB that it uses now (VmRSS), or used at most (VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        found = next(line for line in status if line.startswith(f"{what}:"))
        return int(found.split()[1]) / 1024

    def end(self) -> None:
        """End it as a kubelet does."""
        self._process.terminate()
        try:
            self._process.wait(timeout=120)
        finally:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, slots=True)
class Cost:
    """What the operator did in `lasted` seconds, or in a part of them.

    `queries` to Prometheus, `calls` to the API server, and seconds of CPU time.
    """

    lasted: float
    queries: query_log.Asked
    calls: Counter[str]
    cpu: float


@dataclass
class Fleet:
    """The fleet, from `with` to its end. `directory` holds everything; `revisions` serve.

    The objects take turns in the `namespaces`.
    """

    directory: Path
    pace: Pace
    namespaces: tuple[str, ...] = (NAMESPACE,)
    revisions: list[RevisionPods] = field(default_factory=list)

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
        define_merit(plane)
        define_gateway_api(plane)
        for namespace in self.namespaces:
            plane.kubectl("create", "namespace", namespace)
        exporter = Exporter({"envoy": self._gateway, "servers": self._servers})
        self._stack.callback(exporter.close)
        jobs: dict[str, dict[str, dict[str, str]]] = {
            "envoy": {"envoy": {}},
            "servers": {"servers": {}},
        }
        folder = self.directory / "prometheus"
        folder.mkdir()
        self.prometheus = RealPrometheus(folder, exporter, jobs, scrape=self.pace.scrape)
        self._stack.callback(self.prometheus.close)
        self._api = AdminConnection(plane)
        self._stack.callback(self._api.close)
        self._actors = [FleetActors(plane, namespace) for namespace in self.namespaces]
        for actors in self._actors:
            self._stack.callback(actors.close)
        self.operator = self._operator()
        self._stack.callback(lambda: self.operator.end())

    def _operator(self) -> Operator:
        pace = self.pace
        source = {
            "prometheus": {"url": self.prometheus.url},
            "preset": "contour-envoy",
            "matchers": {"job": "envoy"},
            "server": "prometheus-client",
            "serverMatchers": {"job": "servers"},
            "queries": {"namespaces": list(self.namespaces)},
        }
        config = {
            "metrics": {"default": "prometheus", "sources": {"prometheus": source}},
            "judgement": {"scrape": f"{pace.scrape}s"},
            "tick": {"fast": f"{pace.fast}s", "live": f"{pace.live}s"},
            "drift": {"every": f"{pace.drift}s"},
        }
        return Operator(self._plane, self.directory, config)

    def restart(self) -> None:
        """Replace the operator process by a new one."""
        self.operator.end()
        self.operator = self._operator()

    def declare(self, numbers: Iterable[int], version: str, rps: float) -> None:
        """Apply that version of these objects; it serves so many requests per second."""
        for number in numbers:
            namespace = self.namespaces[number % len(self.namespaces)]
            obj = manifest(f"model-{number:04d}", version, namespace)
            self._api.apply(obj, "kubectl")
            self.revisions.append(RevisionPods.of(obj, rps))

    def begin(self, objects: int, limit: float = PATIENCE) -> float:
        """Declare objects up to this number, and wait until all serve. Returns seconds."""
        existing, began = self.phases().total(), time.monotonic()
        self.declare(range(existing, objects), "1", STABLE_RPS)
        self.wait(lambda: self._serving() == objects, f"{objects} Live", limit)
        return time.monotonic() - began

    def expose(
        self,
        objects: int,
        limit: float = PATIENCE,
        *,
        canaries: range | None = None,
        rps: float = CANARY_RPS,
    ) -> float:
        """Wait until every fourth of so many is in its canary, or these. Returns seconds."""
        existing, began = self.split(), time.monotonic()
        chosen = canaries_of(objects) if canaries is None else canaries
        self.declare(chosen[existing:], "2", rps)
        self.wait(lambda: self.split() == len(chosen), f"{len(chosen)} canaries", limit)
        return time.monotonic() - began

    def fail(self, numbers: Iterable[int]) -> float:
        """From now on the newest revision of these fails every request. Returns Unix seconds."""
        newest = {revision.obj: i for i, revision in enumerate(self.revisions)}
        now = time.time()
        for number in numbers:
            i = newest[f"model-{number:04d}"]
            self.revisions[i] = replace(self.revisions[i], broken=now)
        return now

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Every object's status, by its name."""
        return {
            obj["metadata"]["name"]: obj.get("status", {}) for obj in self._all("ModelDeployment")
        }

    def _all(self, kind: str) -> Iterator[dict[str, Any]]:
        for namespace in self.namespaces:
            yield from self._api.call("GET", collection(VERSIONS[kind], kind, namespace))["items"]

    def settle(self, quiet: float, limit: float = PATIENCE) -> None:
        """Wait until for so many seconds only measurements are written."""
        self.wait(lambda: set(self.observe(quiet).calls) <= {MEASURED}, "settled", limit)

    def phases(self) -> Counter[str]:
        """The number of objects in each phase, as `kubectl get mdep` prints them."""
        found: Counter[str] = Counter()
        for namespace in self.namespaces:
            path = collection(VERSIONS["ModelDeployment"], "ModelDeployment", namespace)
            table = self._api.call("GET", path + "?includeObject=None", accept=TABLE)
            column = [c["name"].upper() for c in table["columnDefinitions"]].index("PHASE")
            found.update(str(row["cells"][column]) for row in table["rows"])
        return found

    def wait(self, until: Callable[[], bool], what: str, limit: float = PATIENCE) -> float:
        """Wait until it is so. Returns seconds; AssertionError after `limit`."""
        began = time.monotonic()
        while not until():
            failed = [error for actors in self._actors for error in actors.failed]
            assert not failed, failed
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

    def split(self) -> int:
        """The number of routes that split their traffic."""
        shares = [weights_of(route) for route in self._all("HTTPRoute")]
        return sum(sum(weight > 0 for weight in each.values()) > 1 for each in shares)

    def observe(self, seconds: float, polls: int = 0) -> Cost:
        """Let so much time pass, and so many polls of all objects; returns what was done in it."""
        began, since = time.monotonic(), time.time()
        _, log = query_log.read(self.prometheus.query_log)
        _, audit = self._calls(0)
        cpu = self.operator.cpu()
        time.sleep(seconds)
        while True:
            queries, _ = query_log.read(self.prometheus.query_log, log)
            found = query_log.counted(queries, since)
            if len(found.everybody) >= polls and not 0 < len(found.exposed) < polls:
                break
            assert time.monotonic() - began < PATIENCE, found
            time.sleep(1.0)
        calls, _ = self._calls(audit)
        cpu = self.operator.cpu() - cpu
        return Cost(time.monotonic() - began, found, calls, cpu)

    def log_is_whole(self) -> bool:
        """Whether the query log has every query that Prometheus' own counter has.

        The counter is read between two readings of the log, and compared only if these agree.
        """
        before, answered, after = self._logged(), self._answered(), self._logged()
        return before == answered == after

    def _answered(self) -> int:
        """Queries by Prometheus' own counter."""
        with urllib.request.urlopen(f"{self.prometheus.url}/metrics", timeout=60) as response:
            text = response.read().decode()
        return sum(
            round(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "prometheus_http_requests_total"
            and sample.labels["handler"].startswith("/api/v1/")
        )

    def _logged(self) -> int:
        return len(query_log.read(self.prometheus.query_log)[0])

    def _calls(self, offset: int) -> tuple[Counter[str], int]:
        """The operator's calls from `offset` on in the audit log, without watches and its Lease."""
        assert self._plane.audit_log is not None
        with self._plane.audit_log.open("rb") as file:
            file.seek(offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
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
        return gateway_metrics(list(self.revisions))

    def _servers(self) -> str:
        return server_metrics(list(self.revisions))

"""A control plane, a Prometheus, actors, and the operator behind the proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from e2e.cluster.controlplane import ControlPlane
from tests.apiserver.crds import define_gateway_api, define_merit
from tests.faults.actors import ActorsProcess
from tests.faults.moments import Write
from tests.faults.monitor import Monitor
from tests.faults.processes import OperatorProcess, OperatorProcesses
from tests.faults.prometheus import PrometheusProxy, gateway_metrics
from tests.faults.proxy import AS_IT_IS, Proxy, Treatment
from tests.faults.run import Plan, Reference, Run
from tests.fleet.actors import AdminConnection
from tests.prometheus.real import Exporter, RealPrometheus

OPERATOR = "merit"
RPS = 4000.0  # so that evidence is there within seconds
NO_LIMIT = 1e9


class FaultStage:
    """Everything, from `async with` to its end.

    `crashes`: how often the operator was killed. `ended`: how often it has ended by itself, and was
    started again unless `restarts` is False. `patience`: seconds that a step may take at most.
    """

    def __init__(self, directory: Path, *, planted: tuple[str, ...] = ()) -> None:
        self.directory, self._planted = directory, planted
        self.runs: dict[str, Run] = {}
        self.crashes = self.ended = 0
        self.restarts = True
        self.patience = NO_LIMIT
        self._crashing = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        stack = self._stack
        plane = ControlPlane(self.directory / "plane", tokens={OPERATOR: ("system:masters",)})
        self.plane = stack.enter_context(plane)
        define_merit(plane)
        define_gateway_api(plane)
        self.api = AdminConnection(plane)
        stack.callback(self.api.close)
        self.monitor = await stack.enter_async_context(Monitor(plane, RPS))
        self.actors = ActorsProcess(plane)
        stack.callback(self.actors.close)
        exporter = Exporter({"envoy": lambda: gateway_metrics(self.monitor.histories)})
        stack.callback(exporter.close)
        folder = self.directory / "prometheus"
        folder.mkdir()
        real = RealPrometheus(folder, exporter, {"envoy": {"envoy": {}}}, scrape=1)
        stack.callback(real.close)
        self.prometheus = await stack.enter_async_context(PrometheusProxy(real.url))
        self.proxy = await stack.enter_async_context(Proxy(plane, self.monitor.newest))
        self.proxy.script = self._script
        self.config = self.directory / "config.json"
        self.config.write_text(json.dumps(self._settings()))
        self.kubeconfig = self.proxy.kubeconfig(self.directory / "kubeconfig", OPERATOR)
        self.processes = OperatorProcesses()
        stack.callback(self.processes.close)
        self.log = self.directory / "operator.log"
        self.operator = self._new_operator()
        stack.callback(lambda: self.operator.signal(signal.SIGKILL))
        kubelet = asyncio.create_task(self._kubelet())
        stack.callback(kubelet.cancel)

    def _new_operator(self) -> OperatorProcess:
        return self.processes.start(self.kubeconfig, self.config, self.log, self._planted)

    def start_operator(self, proxy: Proxy, name: str) -> OperatorProcess:
        """One more, behind a proxy of its own; it is not started again."""
        kubeconfig = proxy.kubeconfig(self.directory / f"{name}.kubeconfig", OPERATOR)
        return self.processes.start(kubeconfig, self.config, self.directory / f"{name}.log", ())

    def _settings(self) -> dict[str, Any]:
        source = {
            "prometheus": {"url": self.prometheus.url, "timeout": "2s"},
            "preset": "contour-envoy",
            "matchers": {"job": "envoy"},
        }
        return {
            "metrics": {"default": "default", "sources": {"default": source}},
            "judgement": {"scrape": "1s", "patience": "3s", "warmup": "1s"},
            "tick": {"fast": "1s", "live": "2s"},
            "images": {"tools": "example.com/tools:1"},
        }

    def _script(self, write: Write) -> Treatment:
        run = self.runs.get(write.namespace)
        return AS_IT_IS if run is None else run.treat(write)

    def check(self) -> None:
        """The stage itself is sound."""
        self.actors.check()
        self.monitor.check()

    async def crash(self) -> None:
        """kill -9 the operator, and start another one. Its Lease does not have to expire first."""
        killed = self.operator
        async with self._crashing:
            if killed is not self.operator:
                return  # the same process met another fault
            killed.signal(signal.SIGKILL)
            self.crashes += 1
            while killed.alive():
                await asyncio.sleep(0.01)
            lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/merit"
            with contextlib.suppress(OSError):  # urllib's HTTPError is one: there is none yet
                self.api.call("DELETE", lease)
            self.operator = self._new_operator()

    async def replace(self, name: str, *planted: str) -> None:
        """From now on an operator with these bugs, and a log of its own."""
        self._planted, self.ended = planted, 0
        self.log = self.directory / f"{name.replace(' ', '-')}.log"
        await self.crash()

    async def _kubelet(self) -> None:
        """Start the operator again when it has ended by itself."""
        while True:
            await asyncio.sleep(0.5)
            process = self.operator
            if self.restarts and not process.alive() and not self._crashing.locked():
                self.ended += 1
                await self.crash()

    def begin(self, plan: Plan, name: str) -> Run:
        """A namespace of that name, in which a plan is about to begin."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.api.call("POST", "/api/v1/namespaces", body)
        self.runs[name] = Run(self, plan, name)
        return self.runs[name]

    async def play(self, plan: Plan, name: str, reference: Reference | None) -> Run:
        """One plan, from its beginning to its judgement."""
        run = self.begin(plan, name)
        try:
            await run.play(reference)
            run.judge(reference if not run.wrong else None)
        finally:
            run.forget()
            del self.runs[name]
        return run

    def exceptions(self) -> list[str]:
        """What the operator's log says that it must not."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        found = [line for line in lines if "Traceback" in line]
        # Where the machine stood still for 8 s the Lease is lost, as it should be.
        left = sum('"critical"' in line and "lease" in line for line in lines)
        return found + ["the operator has ended by itself"] * (self.ended - left)

"""What Prometheus says: a real one that scrapes the stage's gateway, and a proxy before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.monitor import History
from tests.world.manifests import NAME

PORT = 8080
FAULTS = ("down", "error", "late", "empty", "garbled", "fat")


def gateway_metrics(histories: Mapping[str, History]) -> str:
    """What an Envoy exports of every revision that has had traffic."""
    now, lines = time.time(), []
    for namespace, history in list(histories.items()):
        traffic = history.traffic
        for short in sorted({short for _, split in list(traffic.history) for short in split}):
            n, bad = traffic.requests(short, now), traffic.failed(short, now)
            slow = traffic.slow(short, now)
            label = f'envoy_cluster_name="{namespace}_{NAME}-{short}_{PORT}"'
            bucket, name = "envoy_cluster_upstream_rq_time_bucket", "envoy_cluster_upstream_rq_xx"
            lines += [
                f'{name}{{{label},envoy_response_code_class="2"}} {n - bad}',
                f'{name}{{{label},envoy_response_code_class="5"}} {bad}',
                f'{bucket}{{{label},le="50"}} {n - slow - n // 10}',
                f'{bucket}{{{label},le="100"}} {n - slow}',
                f'{bucket}{{{label},le="250"}} {n}',
                f'{bucket}{{{label},le="+Inf"}} {n}',
                f"envoy_cluster_upstream_rq_timeout{{{label}}} 0",
            ]
    return "\n".join(lines) + "\n"


class PrometheusProxy:
    """`broken`: when it failed, from and until (Unix seconds)."""

    def __init__(self, upstream: str) -> None:
        self._upstream, self._fault = upstream, ""
        self.broken: list[tuple[float, float]] = []

    def spoil(self, fault: str, seconds: float) -> None:
        """From now on it fails in this way for so long."""
        now = time.time()
        if self.broken and now < self.broken[-1][1]:
            now = self.broken.pop()[0]  # it goes on failing
        self._fault = fault
        self.broken.append((now, time.time() + seconds))

    async def __aenter__(self) -> PrometheusProxy:
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.broken and time.time() < self.broken[-1][1]:
            return await ANSWERS[self._fault](request)
        headers = {k: v for k, v in request.headers.items() if k == "Content-Type"}
        async with self._session.request(
            request.method,
            f"{self._upstream}/{request.match_info['path']}",
            params=request.query,
            data=await request.read() or None,
            headers=headers,
        ) as reply:
            body = await reply.read()
        return web.Response(status=reply.status, body=body, content_type="application/json")


async def _down(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _error(request: web.Request) -> web.StreamResponse:
    return web.Response(status=503, headers={"Retry-After": "3600"}, text="no")


async def _late(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response(status=504)


async def _empty(request: web.Request) -> web.StreamResponse:
    data: dict[str, Any] = {"resultType": "vector", "result": []}
    if "time()" in (request.query.get("query") or (await request.text())):
        data = {"resultType": "scalar", "result": [time.time(), str(time.time())]}
    return web.json_response({"status": "success", "data": data})


async def _garbled(request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"status": "success", "data": {"resultType": "matrix", "result"')


async def _fat(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(80):
        await answer.write(b" " * 2**20)
    return answer


ANSWERS: Mapping[str, Callable[[web.Request], Any]] = {
    "down": _down, "error": _error, "late": _late, "empty": _empty, "garbled": _garbled,
    "fat": _fat,
}  # fmt: skip

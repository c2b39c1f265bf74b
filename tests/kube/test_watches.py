"""What ends a watch, and what does not: kopf against an API server that misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from merit.kube import watches as module
from merit.kube.watches import Backoffs, Watched, Watches

PODS = Watched("", "v1", "pods", "Pod")
JOBS = Watched("batch", "v1", "jobs", "Job")
KINDS = (PODS, JOBS)
ATTEMPTS = 30
"""More than kopf makes by itself before it gives a watch up."""


class EndingApi:
    """An API server of two kinds, each with one object; `refuse` answers instead where it does."""

    def __init__(self) -> None:
        self.refuse: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
        self.asked: list[str] = []
        self.streams: list[asyncio.Queue[dict[str, Any]]] = []

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api", says({"versions": ["v1"]})),
                web.get("/apis", says({"groups": [group("batch")]})),
                web.get("/api/v1", says(resources("Pod", "Namespace"))),
                web.get("/apis/batch/v1", says(resources("Job"))),
                web.get("/api/v1/pods", self.objects),
                web.get("/apis/batch/v1/jobs", self.objects),
            ]
        )
        return app

    async def objects(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rsplit("/", 1)[-1]
        self.asked.append(plural)
        if refused := self.refuse(request):
            return refused
        if "watch" not in request.query:
            obj = {"metadata": {"name": plural, "uid": plural, "resourceVersion": "1"}}
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": [obj]})
        stream = web.StreamResponse()
        await stream.prepare(request)
        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.streams.append(events)
        while True:
            await stream.write(json.dumps(await events.get()).encode() + b"\n")


def says(body: dict[str, Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


def group(name: str) -> dict[str, Any]:
    version = {"version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def resources(*kinds: str) -> dict[str, Any]:
    verbs = ["list", "watch"]
    return {
        "resources": [
            {"name": f"{kind.lower()}s", "singularName": kind.lower(), "kind": kind}
            | {"namespaced": True, "verbs": verbs}
            for kind in kinds
        ]
    }


def status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "code": code}, status=code)


@pytest_asyncio.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EndingApi]:
    """The server, to which a kubeconfig leads; attempts and looks follow each other at once."""
    made = EndingApi()
    runner = web.AppRunner(made.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    path = tmp_path / "kubeconfig"
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    cluster = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    users = [{"name": "x", "user": {"token": "t"}}]
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "x",
                "contexts": [context], "clusters": [cluster], "users": users,
            }
        )
    )  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(Backoffs, "SECONDS", (0.01,))
    yield made
    await runner.cleanup()


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "plurals"), [(500, {"pods", "jobs"}), (403, {"jobs"}), (429, {"pods", "jobs"})]
)
async def test_a_watch_outlives_any_number_of_refused_requests(
    api: EndingApi, code: int, plurals: set[str]
) -> None:
    seen: list[str] = []
    api.refuse = lambda request: (
        status(code) if request.path.rsplit("/", 1)[-1] in plurals else None
    )
    watches = Watches(KINDS, lambda kind, obj, gone: seen.append(kind))
    watches.start()
    await soon(lambda: all(api.asked.count(plural) > ATTEMPTS for plural in plurals))
    assert not watches.ended.is_set()
    api.refuse = lambda request: None
    await soon(lambda: set(seen) == {"Pod", "Job"})
    await watches.stop(60)


async def test_the_end_of_one_watch_ends_watching(api: EndingApi) -> None:
    watches = Watches(KINDS, lambda *_: None)
    watches.start()
    await soon(lambda: len(api.streams) == len(KINDS))
    api.streams[0].put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 500}})
    await asyncio.wait_for(watches.ended.wait(), 60)
    await watches.stop(60)


async def test_a_watch_that_has_expired_is_begun_anew(api: EndingApi) -> None:
    watches = Watches(KINDS, lambda *_: None)
    watches.start()
    await soon(lambda: len(api.streams) == len(KINDS))
    api.streams[0].put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 410}})
    await soon(lambda: len(api.streams) > len(KINDS))
    assert not watches.ended.is_set()
    await watches.stop(60)

"""An HTTP proxy between the operator and the API server that knows each write and can spoil it.

It runs in the test's event loop. What it does to a write, `script` says; the answer of the API
server is recorded whether or not the operator gets it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from e2e.cluster import pki
from e2e.cluster.controlplane import ControlPlane
from tests.faults.moments import Write, write_of

Object = dict[str, Any]
HELD = 60.0  # seconds that an answer is withheld: longer than any client waits
PASSED_ON = ("Content-Type", "Accept", "Authorization")
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}


@dataclass(frozen=True, slots=True)
class Treatment:
    """What happens to one write. `before`, `after` are awaited around the forwarding.

    `forward`: whether it reaches the API server. `answer`: a status code in place of the real one
    (200: half of an answer), 0 for a connection that is cut, None for the real answer.
    `wait_before`, `wait_after`: seconds that the request, and the answer, are on their way.
    """

    forward: bool = True
    answer: int | None = None
    retry_after: int | None = None
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None
    wait_before: float = 0.0
    wait_after: float = 0.0


AS_IT_IS = Treatment()


@dataclass
class ShownViews:
    """What the operator is shown of a namespace, or of everything, until a time (loop clock).

    `deaf`: namespaces whose events are dropped. `echo`: those whose events come again, late.
    `lists_of`: lists are as of this resourceVersion, and no watch goes on, until `stale_until`.
    """

    deaf: dict[str, float] = field(default_factory=dict)
    echo: dict[str, float] = field(default_factory=dict)
    lists_of: str = ""
    stale_until: float = 0.0
    stalled: set[asyncio.Task[Any]] = field(default_factory=set)


class Proxy:
    """Between `async with` and its end. `script`: what to do with a write that now arrives.

    `writes`: every write that arrived, in order. `committed`: by resourceVersion, and by uid where
    it was a deletion, what the operator has made of the world.
    """

    def __init__(self, plane: ControlPlane, newest: Callable[[str], int]) -> None:
        self._plane, self._newest = plane, newest
        self.script: Callable[[Write], Treatment] = lambda write: AS_IT_IS
        self.views = ShownViews()
        self.writes: list[Write] = []
        self.committed: dict[int, Write] = {}
        self.deleted: dict[str, Write] = {}
        self.answers: dict[int, int] = defaultdict(int)
        self._watching: dict[asyncio.Task[Any], web.StreamResponse | None] = {}

    async def __aenter__(self) -> Proxy:
        trust = ssl.create_default_context(cafile=str(self._plane.ca))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            headers={"Accept-Encoding": "identity"},
        )
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut_watches()
        await self._runner.cleanup()
        await self._session.close()

    def kubeconfig(self, path: Path, identity: str) -> Path:
        """A kubeconfig that leads through this proxy."""
        token = {"token": self._plane.token(identity)}
        return pki.write_kubeconfig(path, self.url, self._plane.ca, token)

    def cut_watches(self) -> None:
        """End every watch, as a load balancer does."""
        for task in list(self._watching):
            task.cancel()

    def stall(self) -> None:
        """From now on nothing, not even a bookmark, comes over the watches that are open."""
        self.views.stalled |= set(self._watching)

    async def version(self) -> str:
        """The newest resourceVersion of all."""
        async with self._session.get(
            f"{self._plane.url}/api/v1/namespaces?limit=1", headers=self._admin()
        ) as reply:
            listed = await reply.json()
        version: str = listed["metadata"]["resourceVersion"]
        return version

    def _admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._plane.token()}"}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request)
        body = await request.read()
        write = write_of(request.method, request.path, request.query, body)
        if write is None:
            return await self._forward(request, body)
        write.at, known = time.monotonic(), self._newest(write.namespace)
        self.writes.append(write)
        treatment = self.script(write)
        if treatment.before is not None:
            await treatment.before()
        if treatment.wait_before:
            await asyncio.sleep(treatment.wait_before)
        answer: web.StreamResponse = web.Response(status=500)
        if treatment.forward:
            answer = await self._forward(request, body)
            self._record(write, answer, known)
        if treatment.after is not None:
            await treatment.after()
        if treatment.wait_after:
            await asyncio.sleep(treatment.wait_after)
        if treatment.answer is None:
            return answer
        if treatment.answer == 0:
            return _cut(request)
        if treatment.answer == 200:
            return web.Response(text='{"kind": "Stat', content_type="application/json")
        return _refusal(treatment.answer, treatment.retry_after)

    def _record(self, write: Write, answer: web.StreamResponse, known: int) -> None:
        self.answers[answer.status] += 1
        if answer.status >= 300 or not isinstance(answer, web.Response):
            return
        if write.method == "DELETE":
            self.deleted[write.uid] = write
            return
        version = int(json.loads(answer.body)["metadata"]["resourceVersion"])  # type: ignore[arg-type]
        if version > known:  # else it has changed nothing, and somebody else made this version
            self.committed[version] = write

    async def _forward(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """The API server's answer, whole. A list may be shown as it was earlier."""
        query = dict(request.query)
        stale = time.monotonic() < self.views.stale_until
        if stale and request.method == "GET" and "limit" in query and "continue" not in query:
            query |= {
                "resourceVersion": self.views.lists_of,
                "resourceVersionMatch": "Exact",
            }
        try:
            async with self._session.request(
                request.method,
                self._plane.url + request.path,
                params=query,
                data=body or None,
                headers={k: v for k, v in request.headers.items() if k in PASSED_ON},
            ) as reply:
                headers = {
                    k: v for k, v in reply.headers.items() if k in ("Content-Type", "Retry-After")
                }
                content = await reply.read()
        except aiohttp.ClientError:  # the API server is down
            return _cut(request)
        return web.Response(status=reply.status, body=content, headers=headers)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._watching[task] = None
        try:
            return await self._relay(request, task)
        except (aiohttp.ClientError, ConnectionError):
            return _cut(request)
        finally:
            self._watching.pop(task, None)
            self.views.stalled.discard(task)

    async def _relay(self, request: web.Request, task: asyncio.Task[Any]) -> web.StreamResponse:
        await asyncio.sleep(max(0.0, self.views.stale_until - time.monotonic()))
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            self._plane.url + request.path,
            params=request.query,
            headers={k: v for k, v in request.headers.items() if k in PASSED_ON},
            timeout=timeout,
            read_bufsize=2**22,
        ) as reply:
            shown = web.StreamResponse(status=reply.status)
            shown.headers["Content-Type"] = "application/json"
            await shown.prepare(request)
            self._watching[task] = shown
            async for line in reply.content:
                while task in self.views.stalled:
                    await asyncio.sleep(0.2)
                await self._show(shown, line)
        return shown

    async def _show(self, shown: web.StreamResponse, line: bytes) -> None:
        now = time.monotonic()
        if _concerns(self.views.deaf, line, now):
            return
        await shown.write(line)
        if _concerns(self.views.echo, line, now):
            later = asyncio.get_running_loop().call_later
            later(0.7, lambda: asyncio.ensure_future(_write(shown, line)))

    async def expire(self) -> None:
        """Every watch ends: its version is too old (410), so that everything is listed again."""
        for task, shown in list(self._watching.items()):
            if shown is not None:
                await _write(shown, json.dumps(GONE).encode() + b"\n")
            task.cancel()


async def _write(shown: web.StreamResponse, line: bytes) -> None:
    try:
        await shown.write(line)
    except (ConnectionError, RuntimeError):
        return  # the watch has ended meanwhile


def _concerns(namespaces: dict[str, float], line: bytes, now: float) -> bool:
    return any(
        now < until and f'"namespace":"{name}"'.encode() in line
        for name, until in namespaces.items()
    )


def _cut(request: web.Request) -> web.Response:
    """No answer: the connection is reset."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _refusal(code: int, retry_after: int | None) -> web.Response:
    reasons = {403: "Forbidden", 409: "Conflict", 429: "TooManyRequests", 500: "InternalError"}
    status = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reasons.get(code, "ServiceUnavailable"), "message": "made to fail",
    }  # fmt: skip
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.json_response(status, status=code, headers=headers)

"""The API server's own watch of everything that the operator has to do with."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from merit.kube.kinds import collection
from tests.apiserver.api import VERSIONS

Object = dict[str, Any]
WATCHED = VERSIONS | {"ControllerRevision": "apps/v1"}


class Plane(Protocol):
    """An API server, and a token of an admin of it."""

    url: str
    ca: Path

    def token(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch. `at`: Unix seconds when it came."""

    version: int
    kind: str
    obj: Object
    gone: bool
    at: float

    @property
    def namespace(self) -> str:
        """Where it happened."""
        namespace: str = self.obj["metadata"]["namespace"]
        return namespace


class Watches:
    """Between `async with` and its end, `sink` is called with each event."""

    def __init__(self, plane: Plane, sink: Callable[[Event], None]) -> None:
        self._plane, self._sink = plane, sink

    async def __aenter__(self) -> Watches:
        trust = ssl.create_default_context(cafile=str(self._plane.ca))
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust, limit=0))
        self._tasks = [asyncio.create_task(self._watch(*pair)) for pair in WATCHED.items()]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def check(self) -> None:
        """Every watch goes on."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def _watch(self, kind: str, version: str) -> None:
        """Every event of a kind, also over restarts of the API server."""
        since = ""
        while True:
            query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since}
            try:
                async with self._session.get(
                    self._plane.url + collection(version, kind, None),
                    params={key: value for key, value in query.items() if value},
                    headers={"Authorization": f"Bearer {self._plane.token()}"},
                    timeout=aiohttp.ClientTimeout(total=None),
                    read_bufsize=2**22,
                    raise_for_status=True,  # a new kind needs a moment
                ) as reply:
                    async for line in reply.content:
                        since = self._take(kind, version, json.loads(line)) or since
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)

    def _take(self, kind: str, version: str, event: Object) -> str:
        obj = event["object"] | {"apiVersion": version, "kind": kind}
        if event["type"] == "ERROR":
            raise AssertionError(f"the watch of {kind}s has a gap: {event}")
        found: str = obj["metadata"]["resourceVersion"]
        if event["type"] != "BOOKMARK" and "namespace" in obj["metadata"]:
            self._sink(Event(int(found), kind, obj, event["type"] == "DELETED", time.time()))
        return found

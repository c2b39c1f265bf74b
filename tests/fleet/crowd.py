"""Everybody who works in the cluster of a fleet: the world's actors, told by watches, in threads.

Each object has actors of its own, so one event costs what one object costs, however many there are.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
import urllib.error
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from merit.cluster.kinds import collection
from tests.apiserver.stage import VERSIONS, Api, ApiStore
from tests.world.actors import JOB_RUNS, Actors
from tests.world.store import ref_of

Object = dict[str, Any]
SEEN = ("Deployment", "Job", "Service", "HTTPRoute")  # what the operator makes, and others work on
WORKERS = 2
LABEL = "merit.dev/name"


def soon() -> float:
    """As late as what is made now has done what it is made for."""
    return time.time() + JOB_RUNS


class Line(Api):
    """An admin's requests over one connection that outlives long waits; for one thread."""

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(plane)
        self._line.timeout = 60  # the machine may be busy

    def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        accept: str = "application/json",
        *,
        patient: bool = True,
    ) -> Object:
        """The reply. Raises urllib.error.HTTPError; 429 only where that is an answer."""
        for _ in range(100):
            try:
                with self.asked(verb, path, body, kind, accept) as reply:
                    answer: Object = json.load(reply)
                    return answer
            except urllib.error.HTTPError as error:
                if error.code != 429 or not patient:  # a kind that is new needs a moment
                    raise
                time.sleep(0.1)
        raise TimeoutError(path)

    def asked(
        self, verb: str, path: str, body: Any, kind: str, accept: str
    ) -> http.client.HTTPResponse:
        """The reply, not read yet. Raises urllib.error.HTTPError."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Accept": accept}
        content = None if body is None else json.dumps(body)
        try:
            self._line.request(verb, path, content, headers)
            reply = self._line.getresponse()
        except (OSError, http.client.HTTPException):  # the server hangs up on an idle line
            self._line.close()
            self._line.request(verb, path, content, headers)
            reply = self._line.getresponse()
        if reply.status >= 400:
            said = io.BytesIO(reply.read())
            raise urllib.error.HTTPError(path, reply.status, reply.reason, reply.headers, said)
        return reply

    def watch(self, kind: str, namespace: str) -> Iterator[Mapping[str, Any]]:
        """Every object of the kind, and every event from then on; ends when `cut` is called."""
        path = f"{collection(VERSIONS[kind], kind, namespace)}?watch=true&timeoutSeconds=3600"
        with self.asked("GET", path, None, "application/json", "application/json") as reply:
            assert self._line.sock is not None
            self._line.sock.settimeout(None)
            for line in reply:
                yield json.loads(line)

    def cut(self) -> None:
        """End what another thread reads from it."""
        if self._line.sock is not None:
            self._line.sock.shutdown(socket.SHUT_RDWR)


class Ahead(ApiStore):
    """Its clock is ahead of all pods' and Jobs': they are ready, and have ended, at once."""

    def _dated(self, obj: Object) -> Object:
        return obj


class Hands(Actors):
    """All actors but the garbage collector, which is the cluster's own."""

    def _collect(self) -> None:
        return


@dataclass
class _One:
    """One object's children, and the events that its actors have not seen yet."""

    actors: Hands
    store: Ahead
    inbox: deque[tuple[str, Object, bool]]

    def work(self) -> None:
        while self.inbox:
            kind, obj, gone = self.inbox.popleft()
            whole = obj | {"apiVersion": VERSIONS[kind], "kind": kind}
            ref = ref_of(whole)
            known = self.store.objects.get(ref)
            if gone:
                self.store.objects.pop(ref, None)
            elif known is None or _version(known) < _version(whole):
                self.store.objects[ref] = whole
        self.actors.settle()


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


class Crowd:
    """Controllers and kubelets of all objects in one namespace. `failed`: what stopped a worker."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._namespace = namespace
        self._ones: dict[str, _One] = {}
        self._due: list[SimpleQueue[str | None]] = [SimpleQueue() for _ in range(WORKERS)]
        self._lines = [Line(plane) for _ in range(WORKERS)]
        self._watches = [Line(plane) for _ in SEEN]
        self._ending = False
        self.failed: list[BaseException] = []
        self._threads = [
            *(self._thread(self._work, i) for i in range(WORKERS)),
            *(self._thread(self._see, *pair) for pair in zip(self._watches, SEEN, strict=True)),
        ]

    def close(self) -> None:
        """Everybody goes home."""
        self._ending = True
        for due in self._due:
            due.put(None)
        for line in self._watches:
            line.cut()
        for thread in self._threads:
            thread.join(timeout=30)
        for line in (*self._lines, *self._watches):
            line.close()

    def _thread(self, what: Any, *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                what(*arguments)
            except BaseException as error:
                if not self._ending:
                    self.failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _see(self, line: Line, kind: str) -> None:
        for event in line.watch(kind, self._namespace):
            obj = event["object"]
            name = obj["metadata"].get("labels", {}).get(LABEL)
            if name is not None:
                one = self._ones.get(name) or self._ones.setdefault(name, self._one(name))
                one.inbox.append((kind, obj, event["type"] == "DELETED"))
                self._due[self._of(name)].put(name)

    def _of(self, name: str) -> int:
        return zlib.crc32(name.encode()) % WORKERS

    def _one(self, name: str) -> _One:
        store = Ahead(self._lines[self._of(name)], self._namespace, soon)
        return _One(Hands(store), store, deque())  # type: ignore[arg-type]

    def _work(self, number: int) -> None:
        while (name := self._due[number].get()) is not None:
            one = self._ones[name]
            if one.inbox:
                one.work()

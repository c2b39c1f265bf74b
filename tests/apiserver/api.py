"""Plain requests to the API server, and the world's store on top of them."""

from __future__ import annotations

import http.client
import io
import json
import ssl
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from merit.kube.errors import ApiError
from merit.kube.kinds import collection, item
from tests.world.store import Commit, Ref, ref_of

Object = dict[str, Any]
GATEWAY = "gateway.networking.k8s.io/v1"
VERSIONS = {
    "ModelDeployment": "merit.dev/v1alpha1",
    "Deployment": "apps/v1",
    "Pod": "v1",
    "Job": "batch/v1",
    "HTTPRoute": GATEWAY,
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "ConfigMap": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
}


class Api:
    """An admin's requests over one connection; each write names its field manager."""

    def __init__(self, plane: ControlPlane) -> None:
        place = urllib.parse.urlsplit(plane.url)
        assert place.hostname is not None
        trust = ssl.create_default_context(cafile=str(plane.ca))
        self._line = http.client.HTTPSConnection(
            place.hostname, place.port, timeout=120, context=trust
        )
        self._token = plane.token()

    def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        *,
        patient: bool = True,
    ) -> Object:
        """The reply. Raises urllib.error.HTTPError; 429 only if not `patient`."""
        for _ in range(600):
            code, content = self._send(verb, path, body, kind)
            if code < 300:
                reply: Object = json.loads(content)
                return reply
            if code != 429 or not patient:  # a new kind needs a moment
                raise urllib.error.HTTPError(path, code, "", Message(), io.BytesIO(content))
            time.sleep(0.1)
        raise TimeoutError(path)

    def _send(self, verb: str, path: str, body: Any, kind: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        self._line.request(verb, path, None if body is None else json.dumps(body), headers)
        reply = self._line.getresponse()
        return reply.status, reply.read()

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def apply(self, obj: Object, manager: str) -> Object:
        """Forced server-side apply, as Flux and Argo CD do it."""
        path = object_path(ref_of(obj))
        query = f"?fieldManager={manager}&force=true"
        return self.call("PATCH", path + query, obj, "application/apply-patch+yaml")

    def merge(self, ref: Ref, body: Object, manager: str, subresource: str = "") -> Object:
        """A merge patch."""
        path = object_path(ref) + (f"/{subresource}" if subresource else "")
        kind = "application/merge-patch+json"
        return self.call("PATCH", f"{path}?fieldManager={manager}", body, kind)

    def put(self, ref: Ref, obj: Object, manager: str = "kubectl-replace") -> Object:
        """The whole object, as `kubectl replace` sends it."""
        return self.call("PUT", f"{object_path(ref)}?fieldManager={manager}", obj)


def object_path(ref: Ref) -> str:
    """The URL path of an object."""
    kind, namespace, name = ref
    return item(VERSIONS[kind], kind, namespace, name)


class ApiStore:
    """The part of `Store` that the actors use, over the real API.

    `objects`: as of the last `refresh`, with the answers to all writes since.
    """

    def __init__(self, api: Api, namespace: str, now: Callable[[], float]) -> None:
        self._api, self._namespace, self.now = api, namespace, now
        self.objects: dict[Ref, Object] = {}
        self.version = 0
        self.listeners: list[Callable[[Commit], None]] = []
        self._written: dict[tuple[str, str], Object] = {}
        self._ahead: dict[str, float] = {}  # by uid: this clock minus real time at its creation

    def refresh(self) -> None:
        """Read everything; listeners are called with what has changed."""
        found: dict[Ref, Object] = {}
        for kind, version in VERSIONS.items():
            listed = self._api.call("GET", collection(version, kind, self._namespace))
            for obj in listed["items"]:
                whole = self._dated(obj | {"apiVersion": version, "kind": kind})
                found[ref_of(whole)] = whole
        for ref in {*found, *self.objects}:
            old, new = self.objects.get(ref), found.get(ref)
            if old != new:
                for listener in self.listeners:
                    listener(Commit("", "seen", ref, old, new))
        self.objects = found

    def all(self, kind: str, namespace: str | None = None, labels: str = "") -> Iterator[Object]:
        wanted = dict(term.split("=", 1) for term in labels.split(",") if term)
        for ref in sorted(ref for ref in self.objects if ref[0] == kind):
            marks = self.objects[ref]["metadata"].get("labels", {})
            if all(marks.get(key) == value for key, value in wanted.items()):
                yield self.objects[ref]

    def create(self, obj: Object, manager: str) -> Object:
        kind, namespace, _ = ref_of(obj)
        body = {key: value for key, value in obj.items() if key != "status"}
        try:
            made = self._api.call("POST", collection(VERSIONS[kind], kind, namespace), body)
        except urllib.error.HTTPError as error:
            status = json.load(error)
            raise ApiError(error.code, status["reason"], status["message"]) from error
        return self.keep(kind, made)

    def patch(self, ref: Ref, body: Object, manager: str, subresource: str = "") -> Object:
        target = (self.objects[ref]["metadata"]["uid"], subresource)
        if self._written.get(target) == body:
            return self.objects[ref]  # the server has added to it: writing it again changes nothing
        self._written[target] = body
        if ref[0] == "Job" and subresource == "status":  # the server requires it
            began = self.objects[ref]["metadata"]["creationTimestamp"]
            body = {"status": {"startTime": began, **body["status"]}}
        return self.keep(ref[0], self._api.merge(ref, body, manager, subresource))

    def delete(self, ref: Ref, manager: str, grace: int | None = None) -> None:
        """`grace`: seconds, 0 for at once. None is the object's own: a pod on a node then exists
        until its kubelet confirms the end.
        """
        self.version += 1
        known = self.objects.pop(ref, None)
        stays = grace is None and bool((known or {}).get("spec", {}).get("nodeName"))
        query = "" if grace is None else f"?gracePeriodSeconds={grace}"
        try:
            left = self._api.call("DELETE", object_path(ref) + query)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return
        if stays:
            self.keep(ref[0], left)

    def keep(self, kind: str, made: Object) -> Object:
        """Remember the reply to a write as the newest version of the object."""
        self.version += 1
        whole = self._dated(made | {"apiVersion": VERSIONS[kind], "kind": kind})
        self.objects[ref_of(whole)] = whole
        return whole

    def _dated(self, obj: Object) -> Object:
        """A pod's creation by this clock: the server's lacks the time that was let pass."""
        if obj["kind"] != "Pod":
            return obj
        meta = obj["metadata"]
        ahead = self._ahead.setdefault(meta["uid"], self.now() - time.time())
        made = datetime.fromisoformat(meta["creationTimestamp"]) + timedelta(seconds=ahead)
        stamp = made.strftime("%Y-%m-%dT%H:%M:%SZ")
        return obj | {"metadata": meta | {"creationTimestamp": stamp}}

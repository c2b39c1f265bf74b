"""A cluster in memory, as far as Lease, EventRecorder and Relist need one."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from merit.kube.errors import ApiError, Conflict, Forbidden, NotFound

Object = dict[str, Any]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeCluster:
    """Objects by kind, namespace and name, with resourceVersions. `failing` is raised if set.

    `forbidden`: namespaces that may not be listed, as after their deletion with the Role in them.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.failing: ApiError | None = None
        self.forbidden: set[str] = set()
        self.writes = 0
        self._versions = itertools.count(1)

    def _place(self, obj: Object) -> tuple[str, str, str]:
        return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def _store(self, obj: Object) -> Object:
        if self.failing:
            raise self.failing
        self.writes += 1
        kept = copy.deepcopy(obj)
        version = next(self._versions)
        kept["metadata"]["resourceVersion"] = str(version)
        kept["metadata"].setdefault("uid", f"uid-{version}")
        self.objects[self._place(obj)] = kept
        return copy.deepcopy(kept)

    async def create(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        if self._place(obj) in self.objects:
            raise Conflict(409, "AlreadyExists", "it exists")
        return self._store(obj)

    async def replace(self, obj: Object, *, timeout: float = 10.0) -> Object:
        known = self.objects.get(self._place(obj))
        if known is None:
            raise NotFound(404, "NotFound", "it is gone")
        if known["metadata"]["resourceVersion"] != obj["metadata"].get("resourceVersion"):
            raise Conflict(409, "Conflict", "the object has been modified")
        return self._store(obj)

    async def get(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        timeout: float = 10.0,
    ) -> Object | None:
        if self.failing:
            raise self.failing
        return copy.deepcopy(self.objects.get((kind, namespace or "", name)))

    async def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str = "",
        timeout: float = 30.0,
        metadata_only: bool = False,
    ) -> Any:
        if namespace in self.forbidden:
            raise Forbidden(403, "Forbidden", f"cannot list {kind} in {namespace}")
        return [
            copy.deepcopy(obj)
            for (of_kind, where, _), obj in self.objects.items()
            if of_kind == kind and namespace in (None, where)
        ]

"""Kubernetes objects as plain dicts, over one pooled client of the official package.

Every write of the operator passes through here, so this is where each gets what makes it safe to
repeat: a timeout, a field manager, and the uid or resourceVersion that fences it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from merit.cluster.access import access
from merit.cluster.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unreachable,
    from_reply,
)
from merit.cluster.kinds import collection, item
from merit.cluster.patches import merged

__all__ = [
    "ApiError",
    "Cluster",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Object",
    "Unreachable",
]

Object = dict[str, Any]
Objects = list[Object]

MANAGER = "merit"
JSON = "application/json"
METADATA = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
PAGE = 500
"""Objects per page of a LIST; caps the spike of memory that parsing one takes."""


class Cluster:
    """Reads and writes Kubernetes objects. All timeouts are in seconds.

    Every method raises a subclass of `ApiError`: what the API server said, or `Unreachable` when
    nothing was heard in time. `count` is told the verb and the status code of every call (0 when
    there was none).
    """

    def __init__(
        self, api: ApiClient, *, count: Callable[[str, int], None] = lambda verb, code: None
    ) -> None:
        self._api = api
        self._count = count

    @classmethod
    async def connect(
        cls,
        *,
        trust_env: bool = False,
        count: Callable[[str, int], None] = lambda verb, code: None,
    ) -> Self:
        """A client for the cluster that `access` finds. Unreachable if there is no way in."""
        settings = await access()
        settings.connection_pool_maxsize = 32
        # The library would believe HTTP_PROXY where kopf does not: one answer for both.
        settings.client_session_kwargs = {"trust_env": trust_env}
        return cls(ApiClient(configuration=settings), count=count)

    async def close(self) -> None:
        """End all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def create(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        """Create it. Conflict (reason AlreadyExists) if the name is taken.

        `dry_run` only asks whether the API server would take it, and refuses unknown fields, which
        templates that the CRD preserves have not been checked for.
        """
        query = {"fieldManager": MANAGER}
        if dry_run:
            query |= {"dryRun": "All", "fieldValidation": "Strict"}
        path = collection(obj["apiVersion"], obj["kind"], _namespace(obj))
        return await self._request(
            "POST", path, query=query, body=obj, timeout=timeout, verb="create"
        )

    async def apply(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        """Server-side apply, taking what we declare from whoever had it.

        With metadata.uid and metadata.resourceVersion it never resurrects and never overwrites what
        was not seen: Conflict. `dry_run` only asks what it would come to.
        """
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._request(
            "PATCH",
            _path(obj),
            query=query | ({"dryRun": "All"} if dry_run else {}),
            body=obj,
            content=APPLY,
            timeout=timeout,
            verb="apply",
        )

    async def patch(
        self,
        obj_ref: Object,
        patch: Object,
        *,
        subresource: str | None = None,
        timeout: float = 10.0,
    ) -> Object:
        """Merge patch: None removes a key, a list is replaced whole."""
        return await self._request(
            "PATCH",
            _path(obj_ref, subresource),
            query={"fieldManager": MANAGER},
            body=patch,
            content=MERGE,
            timeout=timeout,
            verb="patch",
        )

    async def patch_status(
        self, obj: Object, status: Mapping[str, Any], *, timeout: float = 10.0
    ) -> Object:
        """Make the status what is given. Conflict unless `obj` is the newest version.

        A uid would be ignored here by the API server: resourceVersion alone is the fence.
        """
        body = {
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "status": merged(obj.get("status") or {}, status),
        }
        return await self.patch(obj, body, subresource="status", timeout=timeout)

    async def replace(self, obj: Object, *, timeout: float = 10.0) -> Object:
        """PUT it. Conflict unless metadata.resourceVersion is the newest."""
        return await self._request(
            "PUT",
            _path(obj),
            query={"fieldManager": MANAGER},
            body=obj,
            timeout=timeout,
            verb="update",
        )

    async def scale(self, obj_ref: Object, replicas: int) -> Object:
        """Set the number of replicas, and nothing else. Returns the Scale."""
        return await self.patch(obj_ref, {"spec": {"replicas": replicas}}, subresource="scale")

    async def delete(self, obj_ref: Object, *, uid: str, propagation: str = "Background") -> None:
        """Delete the object of that uid; if it is gone already, that is fine."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": propagation,
        }
        try:
            await self._request("DELETE", _path(obj_ref), body=body, verb="delete")
        except NotFound:
            return

    async def get(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        timeout: float = 10.0,
    ) -> Object | None:
        """The object, or None if there is none."""
        try:
            return await self._request(
                "GET", item(api_version, kind, namespace, name), timeout=timeout, verb="get"
            )
        except NotFound:
            return None

    async def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str = "",
        timeout: float = 30.0,
        metadata_only: bool = False,
    ) -> Objects:
        """All objects, page by page; `timeout` is per page. Items carry apiVersion and kind."""
        accept = METADATA if metadata_only else JSON
        pages = self._pages(
            api_version, kind, namespace=namespace, labels=labels, timeout=timeout, accept=accept
        )
        return [obj async for obj in pages]

    async def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server knows this kind in this version."""
        root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
        try:
            answer = await self._request("GET", root, verb="discover")
        except NotFound:
            return False
        return any(resource["kind"] == kind for resource in answer.get("resources", ()))

    async def _pages(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None,
        labels: str,
        timeout: float,
        accept: str,
    ) -> AsyncIterator[Object]:
        path = collection(api_version, kind, namespace)
        query = {"limit": str(PAGE)} | ({"labelSelector": labels} if labels else {})
        seen: set[str] = set()
        token = ""
        while True:
            page_query = query | ({"continue": token} if token else {})
            try:
                page = await self._request(
                    "GET", path, query=page_query, timeout=timeout, accept=accept, verb="list"
                )
            except ApiError as error:
                if error.status != 410 or not token:
                    raise
                token = ""  # the snapshot was compacted away: start over
                continue
            for obj in page.get("items") or ():  # none may be null
                uid = obj["metadata"]["uid"]
                if uid not in seen:
                    seen.add(uid)
                    yield {**obj, "apiVersion": api_version, "kind": kind}
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return

    async def _request(
        self,
        method: str,
        path: str,
        *,
        verb: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = JSON,
        accept: str = JSON,
        timeout: float = 10.0,
    ) -> Object:
        code = 0
        try:
            async with asyncio.timeout(timeout):
                prepared = await self._api.param_serialize(
                    method,
                    path,
                    query_params=list((query or {}).items()),
                    header_params={"Accept": accept, "Content-Type": content},
                    body=body,
                    auth_settings=["BearerToken"],
                )
                reply = await self._api.call_api(
                    *prepared, _request_timeout=aiohttp.ClientTimeout(total=timeout)
                )
                code = reply.status
                raw: bytes = await reply.read()  # type: ignore[no-untyped-call]
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = f"{verb} {path}: {type(error).__name__} {error}".rstrip()
            raise Unreachable(0, "Unreachable", what) from error
        finally:
            self._count(verb, code)
        if not 200 <= code < 300:
            raise from_reply(code, raw, reply.headers.get("Retry-After"), what=f"{verb} {path}")
        answer: Object = json.loads(raw)
        return answer


def _namespace(obj: Mapping[str, Any]) -> str | None:
    namespace: str | None = obj["metadata"].get("namespace")
    return namespace


def _path(obj: Mapping[str, Any], subresource: str | None = None) -> str:
    path = item(obj["apiVersion"], obj["kind"], _namespace(obj), obj["metadata"]["name"])
    return f"{path}/{subresource}" if subresource else path

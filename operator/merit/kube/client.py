"""Kubernetes objects as plain dicts, over one pooled client of the official package.

Every write of the operator passes through here and gets what makes it safe to repeat: a timeout,
the field manager, and the uid or resourceVersion that it depends on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Self

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from merit.api.names import FIELD_MANAGER
from merit.kube.access import access
from merit.kube.errors import ApiError, NotFound, Unreachable, from_reply
from merit.kube.kinds import collection, item

Object = dict[str, Any]
Objects = list[Object]  # a name of its own: inside of Cluster `list` is the method

JSON = "application/json"
METADATA = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
PAGE = 500
"""Objects per page of a LIST: limits the memory that parsing a page takes."""


class Cluster:
    """Reads and writes Kubernetes objects. All timeouts are in seconds.

    Every method raises a subclass of `ApiError`: what the API server answered, or `Unreachable`
    without an answer in time. `count` is called with the verb and the status code of every call
    (0 without an answer).
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
        """A client for the cluster that `access` finds. Unreachable if it finds none."""
        settings = await access()
        settings.connection_pool_maxsize = 32
        # The library would use HTTP_PROXY where kopf does not: both must do the same.
        settings.client_session_kwargs = {"trust_env": trust_env}
        return cls(ApiClient(configuration=settings), count=count)

    async def close(self) -> None:
        """End all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def create(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        """Create it. Conflict (reason AlreadyExists) if the name is taken.

        `dry_run` only asks whether the API server would accept it, and refuses unknown fields: the
        CRD preserves templates without checking them for any.
        """
        query = {"fieldManager": FIELD_MANAGER}
        if dry_run:
            query |= {"dryRun": "All", "fieldValidation": "Strict"}
        path = collection(obj["apiVersion"], obj["kind"], _namespace(obj))
        return await self._request(
            "POST", path, query=query, body=obj, timeout=timeout, verb="create"
        )

    async def apply(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        """Server-side apply with force: we become the manager of every field that we declare.

        Conflict if metadata.uid or metadata.resourceVersion are given and are not those of the
        object: so nothing deleted comes back, and no unseen change is overwritten. `dry_run` only
        asks what the result would be.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
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
            query={"fieldManager": FIELD_MANAGER},
            body=patch,
            content=MERGE,
            timeout=timeout,
            verb="patch",
        )

    async def patch_status(
        self, obj: Object, status: Mapping[str, Any], *, timeout: float = 10.0
    ) -> Object:
        """Make the status what is given. Conflict unless `obj` is the newest version.

        The API server ignores a uid here: the resourceVersion alone protects other changes.
        """
        body = {
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "status": merge_patch(obj.get("status") or {}, status),
        }
        return await self.patch(obj, body, subresource="status", timeout=timeout)

    async def replace(self, obj: Object, *, timeout: float = 10.0) -> Object:
        """PUT it. Conflict unless metadata.resourceVersion is the newest."""
        return await self._request(
            "PUT",
            _path(obj),
            query={"fieldManager": FIELD_MANAGER},
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
        path, accept = collection(api_version, kind, namespace), METADATA if metadata_only else JSON
        query = {"limit": str(PAGE)} | ({"labelSelector": labels} if labels else {})
        found: dict[str, Object] = {}
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
                known = {**obj, "apiVersion": api_version, "kind": kind}
                found.setdefault(obj["metadata"]["uid"], known)
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return [*found.values()]

    async def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server knows this kind in this version."""
        root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
        try:
            answer = await self._request("GET", root, verb="discover")
        except NotFound:
            return False
        return any(resource["kind"] == kind for resource in answer.get("resources", ()))

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
        return _object(raw, what=f"{verb} {path}")


def _object(raw: bytes, *, what: str) -> Object:
    """The body of an answer. Unreachable if something in between has cut or changed it."""
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unreachable(0, "Unreachable", f"{what}: the answer is no JSON object")
    return answer


def _namespace(obj: Mapping[str, Any]) -> str | None:
    namespace: str | None = obj["metadata"].get("namespace")
    return namespace


def _path(obj: Mapping[str, Any], subresource: str | None = None) -> str:
    path = item(obj["apiVersion"], obj["kind"], _namespace(obj), obj["metadata"]["name"])
    return f"{path}/{subresource}" if subresource else path


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """A merge patch that turns `old` into `new`: keys that are gone become None, or they stay."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            patch[key] = merge_patch(before, value)
        else:
            patch[key] = value
    return patch

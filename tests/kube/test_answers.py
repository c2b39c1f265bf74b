"""What comes back from the API server, or from something between it and the operator."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from merit.kube.client import Cluster
from merit.kube.errors import Unreachable


@pytest.mark.parametrize("body", [b'{"kind": "PodLi', b"\x1f\x8b\x08", b"[]", b"null", b""])
async def test_an_answer_that_is_no_object_counts_as_none(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/v1/pods", answer)
    async with TestServer(app) as server:
        settings = Configuration(host=str(server.make_url("")).rstrip("/"))
        cluster = Cluster(ApiClient(configuration=settings))
        try:
            with pytest.raises(Unreachable, match="list /api/v1/pods: the answer is no JSON"):
                await cluster.list("v1", "Pod")
        finally:
            await cluster.close()

"""Failures of a server are reported by their kind, never with the server's own text."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from e2e.cluster import pki
from merit.alertmanager.client import Alertmanager

Answer = Callable[[web.Request], web.StreamResponse]


@asynccontextmanager
async def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def problem_of(client: Alertmanager) -> str:
    try:
        return await client.post([{"labels": {"alertname": "A"}}])
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: web.Response(), ""),
        (lambda _: web.Response(status=503, text="secret"), "Alertmanager answered 503"),
        (lambda _: web.Response(status=400, text="secret"), "Alertmanager answered 400"),
        (
            lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
            "Alertmanager answered with a redirect, which is not followed",
        ),
    ],
    ids=["accepted", "unavailable", "refused", "a redirect"],
)
async def test_an_answer_is_reported_by_its_kind(answer: Answer, words: str) -> None:
    async with serving(answer) as url:
        assert await problem_of(Alertmanager(url)) == words


async def test_a_closed_port_a_wrong_name_and_no_answer_are_distinguished() -> None:
    assert "unreachable" in await problem_of(Alertmanager("http://127.0.0.1:9"))
    assert "unreachable" in await problem_of(Alertmanager("http://alertmanager.invalid"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        patient = asyncio.create_task(problem_of(Alertmanager(url, deadline=600.0)))
        assert await problem_of(Alertmanager(url, deadline=0.1)) == (
            "Alertmanager did not answer within 0.1s"
        )
        assert not patient.done()
        patient.cancel()
        await asyncio.gather(patient, return_exceptions=True)


async def test_a_token_is_read_anew_for_each_call_and_headers_are_sent(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["Authorization"], request.headers["X-Scope"]))
        return web.Response()

    token = tmp_path / "token"
    async with serving(answer) as url:
        client = Alertmanager(url, headers={"X-Scope": "ml"}, token_file=str(token))
        assert "unreachable" in await client.post([])
        for word in ("one", "two"):
            token.write_text(word + "\n")
            assert await client.post([]) == ""
        await client.close()
    assert seen == [("Bearer one", "ml"), ("Bearer two", "ml")]


async def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(lambda _: web.Response()) as url:
        assert await problem_of(Alertmanager(url)) == ""


async def test_a_certificate_must_be_known_to_the_named_authority(tmp_path: Path) -> None:
    leaf = pki.Leaf("server", "alertmanager", "", ("server",), ("127.0.0.1",))
    pki.ensure(tmp_path, [leaf])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    async with serving(lambda _: web.Response(), tls=tls) as url:
        assert await problem_of(Alertmanager(url, ca_file=str(tmp_path / "ca.crt"))) == ""
        assert "Certificate" in await problem_of(Alertmanager(url))

"""The client of Alertmanager's API v2; it turns every failure into one sentence."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

DEADLINE = 5.0  # seconds for one request, its answer included
ANSWER = 4096  # bytes of an error's body that are read, so that the connection can be reused


class Alertmanager:
    """One Alertmanager. It retries nothing: the caller decides when to send again.

    `url`: as in http://alertmanager.monitoring:9093. `headers`, `ca_file`, `token_file` (read
    for each request): for access. No redirect is followed, and no proxy of the environment used.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        ca_file: str = "",
        token_file: str = "",
        deadline: float = DEADLINE,
    ) -> None:
        self._url = url.rstrip("/") + "/api/v2/alerts"
        self._headers = dict(headers or {})
        self._ca_file, self._token_file = ca_file, token_file
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None

    async def post(self, alerts: Sequence[Mapping[str, Any]]) -> str:
        """Send alerts in the API's form. Returns the problem, or an empty string. Never raises."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._post(json.dumps(list(alerts)).encode())
        except TimeoutError:
            return f"Alertmanager did not answer within {self._deadline:g}s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The text of an error may name addresses: its kind is enough for a status.
            return f"Alertmanager is unreachable ({type(error).__name__})"

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes) -> str:
        if self._session is None:
            context = ssl.create_default_context(cafile=self._ca_file or None)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=2), trust_env=False
            )
        headers = {**self._headers, "Content-Type": "application/json"}
        if self._token_file:
            with open(self._token_file, encoding="utf-8") as file:
                headers["Authorization"] = f"Bearer {file.read().strip()}"
        async with self._session.post(
            self._url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status == 200:
                return ""
            await answer.content.read(ANSWER)
            if 300 <= answer.status < 400:
                return "Alertmanager answered with a redirect, which is not followed"
            return f"Alertmanager answered {answer.status}"

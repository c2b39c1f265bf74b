"""Queries Prometheus over HTTP, and turns every failure into a reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from merit.prometheus.answer import Answer, Source, parse

MAX_ANSWER = 32 * 1024 * 1024  # bytes
DEADLINE = 5.0  # seconds for one query in total, however slowly the bytes trickle
MAX_URL_QUERY = 2000  # characters; a longer query is sent in a body, as proxies limit URLs
THREADS = 10


class _Refused(requests.exceptions.RequestException):
    """An answer that is not read: a redirect, too large, too slow."""


class _TooLarge(_Refused):
    """Larger than is read, or than arrives in time."""


class _Session(requests.Session):
    """Sends long queries in a body; Prometheus accepts both."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        params = kwargs.get("params") or {}
        if len(params.get("query", "")) > MAX_URL_QUERY:
            kwargs |= {"params": None, "data": params}
            method = "POST"
        return super().request(method, url, *args, **kwargs)


class Prometheus:
    """One Prometheus server. It retries nothing: the next poll is the retry.

    `url`: as in http://prometheus.monitoring:9090. `timeout`: seconds between two bytes.
    `headers`, `ca_file`, `token_file` (read for each query): for access.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        headers: Mapping[str, str] | None = None,
        ca_file: str = "",
        token_file: str = "",
    ) -> None:
        self._token_file = token_file
        self._thread = threading.local()
        self._session = _Session()
        self._session.trust_env = False  # no proxy and no .netrc that is not configured
        self._session.headers.update(headers or {})
        self._session.verify = ca_file or True
        self._session.hooks["response"].append(self._read)
        url = url.rstrip("/")
        self._connect = PrometheusConnect(
            url=url, session=self._session, retry=Retry(total=0), timeout=timeout
        )
        # The constructor mounted a pool of its own size: ours must fit the threads.
        self._session.mount(url, HTTPAdapter(max_retries=Retry(total=0), pool_maxsize=THREADS))
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="prometheus")

    async def instant(self, query: str, at: float | None = None) -> Answer:
        """The answer at `at` (Unix seconds; None: now), parsed in a thread. Never raises."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE):
                return await loop.run_in_executor(self._pool, self._ask, query, at)
        except TimeoutError:
            return Answer(reason="MetricsLost", message=f"no answer within {DEADLINE:.0f}s")

    def close(self) -> None:
        """Close the connections; running queries end by their own time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._connect.close()

    def _ask(self, query: str, at: float | None) -> Answer:
        self._thread.body = None
        self._thread.until = time.monotonic() + DEADLINE
        try:
            if self._token_file:
                with open(self._token_file, encoding="utf-8") as file:
                    self._session.headers["Authorization"] = f"Bearer {file.read().strip()}"
            params = {} if at is None else {"time": f"{at:.3f}"}
            self._connect.custom_query(query, params=params)
        except requests.exceptions.Timeout:
            return Answer(reason="MetricsLost", message="Prometheus did not answer in time")
        except _TooLarge as refused:
            return Answer(reason="MetricsLost", message=str(refused), too_large=True)
        except _Refused as refused:
            return Answer(reason="MetricsLost", message=str(refused))
        except (requests.exceptions.RequestException, OSError) as error:
            kind = type(error).__name__
            return Answer(reason="MetricsLost", message=f"Prometheus is unreachable ({kind})")
        except PrometheusApiClientException:
            said = self._refusal()
            many = "too many samples" in said or "too many series" in said
            message = f"Prometheus refused: {said}"
            return Answer(reason="MetricsLost", message=message, too_large=many)
        except (ValueError, KeyError, TypeError):
            return Answer(reason="MetricsLost", message="the answer is not one of Prometheus")
        return parse(self._thread.body)

    def _read(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Reads the body within limits, before the library reads it without any."""
        if response.is_redirect:
            response.close()
            raise _Refused("Prometheus answered with a redirect, which is not followed")
        chunks, size = [], 0
        for chunk in response.iter_content(65536):
            size += len(chunk)
            if size > MAX_ANSWER:
                response.close()
                raise _TooLarge(f"the answer is larger than {MAX_ANSWER // 1024 // 1024} MiB")
            if time.monotonic() > self._thread.until:
                response.close()
                raise _TooLarge(f"no complete answer within {DEADLINE:.0f}s")
            chunks.append(chunk)
        response._content = b"".join(chunks)
        self._thread.refused = response
        if response.status_code == 200:
            # The library returns `data.result` only; warnings and the type are in the body.
            self._thread.body = json.loads(response._content)

    def _refusal(self) -> str:
        """What Prometheus says is wrong with a query, else the status code alone.

        Anything in between may answer instead, and repeat the request with its credentials; this
        text gets into a status and the log.
        """
        response: requests.Response = self._thread.refused
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = " ".join(str(response.json()["error"]).split())[:160]
            sent = " ".join(map(str, response.request.headers.values())).split()
            repeats = any(word in said for word in sent if len(word) > 5)
            if response.json()["status"] == "error" and not repeats:
                return said
        return f"HTTP {response.status_code}"


class CountingSource:
    """A source whose queries are counted in `queries`, by `name` and outcome, for /metrics."""

    def __init__(self, source: Source, name: str, queries: Counter[tuple[str, str]]) -> None:
        self._source, self._name, self._queries = source, name, queries

    async def instant(self, query: str, at: float | None = None) -> Answer:
        """As `Source.instant`."""
        answer = await self._source.instant(query, at)
        self._queries[self._name, answer.reason or "Answered"] += 1
        return answer

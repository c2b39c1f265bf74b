"""A server with a known delay on loopback: one thread per connection, and its own counts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def own_counts(server: TimedServer) -> tuple[int, str]:
    """/metrics of a server that counts what it was asked."""
    with server.lock:
        return 200, f'model_requests_total{{code="200"}} {server.seen}.0\n'


class TimedServer(ThreadingHTTPServer):
    """`answer` waits as the test wants and returns the status code."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, answer: Callable[[int], int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.seen, self.lock = answer, 0, threading.Lock()
        self.bodies: Counter[bytes] = Counter()
        self.headers: Counter[str] = Counter()
        self.connections = 0
        self.exposed: Callable[[TimedServer], tuple[int, str]] = own_counts

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gives up is expected."""

    @property
    def port(self) -> int:
        """Where it listens, and serves its metrics."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: TimedServer

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            number = self.server.seen
            self.server.seen += 1
            self.server.bodies[body] += 1
            self.server.headers[self.headers.get("X-Test", "")] += 1
        code = self.server.answer(number)
        # A 204 has no body: the client would take its bytes for the next answer's status line.
        self._respond(code, b"" if code == 204 else b"ok")

    def do_GET(self) -> None:
        code, text = self.server.exposed(self.server)
        self._respond(code, text.encode())

    def _respond(self, code: int, body: bytes) -> None:
        """In one write, so that no client sees a part of it; see `wbufsize`."""
        self.send_response(code)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted, not logged."""


@contextmanager
def serving(answer: Callable[[int], int]) -> Iterator[TimedServer]:
    """The server, for as long as the block lasts."""
    server = TimedServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fixed(seconds: float, code: int = 200) -> Callable[[int], int]:
    """Every request takes that long; they do not wait for each other."""

    def answer(_: int) -> int:
        time.sleep(seconds)
        return code

    return answer


def queueing(seconds: float) -> Callable[[int], int]:
    """One request at a time, each that long: above 1/seconds a queue grows without end."""
    one = threading.Lock()

    def answer(_: int) -> int:
        with one:
            time.sleep(seconds)
        return 200

    return answer


def shedding(rate: float, burst: int) -> Callable[[int], int]:
    """So many requests a second at most, and `burst` at once; the others get a 503."""
    lock = threading.Lock()
    left, at = float(burst), time.monotonic()

    def answer(_: int) -> int:
        nonlocal left, at
        with lock:
            now = time.monotonic()
            left, at = min(float(burst), left + (now - at) * rate), now
            if left < 1:
                return 503
            left -= 1
        return 200

    return answer


def stalling(at: int, seconds: float) -> Callable[[int], int]:
    """Quick, but at one request the whole server stands still for so long."""
    one = threading.Lock()

    def answer(number: int) -> int:
        with one:
            if number == at:
                time.sleep(seconds)
        return 200

    return answer

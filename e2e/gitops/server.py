"""Serves one bare repository over HTTP: anybody who is known may read, `writers` may push.

Smart HTTP is git's own program `http-backend`; this adds who may do what, by Basic authentication
against files of one directory: NAME holds the password of that account.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import os
import signal
import subprocess
import threading
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from e2e.gitops.git import BRANCH, commit, git

REPOSITORY = "models.git"
LARGEST = 4 * 1024 * 1024  # bytes of one push


def found(home: Path, seed: Path) -> Path:
    """The repository below `home`; a new one begins with the files of `seed`."""
    repository = home / REPOSITORY
    if not repository.exists():
        git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(repository))
        git("config", "http.receivepack", "true", at=repository)
        with TemporaryDirectory() as scratch:
            tree = Path(scratch)
            for file in sorted(seed.iterdir()):
                if file.is_file():
                    (tree / file.name).write_bytes(file.read_bytes())
            # Straight into the repository: a push by a path would need a shell.
            commit(tree, "platform", "The models as they are declared at first", into=repository)
    return repository


class Server(ThreadingHTTPServer):
    """`accounts`: a directory with one file an account; `writers` may push."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], home: Path, accounts: Path, writers: Collection[str]
    ) -> None:
        super().__init__(address, Handler)
        self.home, self.accounts, self.writers = home, accounts, frozenset(writers)

    def account(self, authorization: str) -> str:
        """Who it is; empty if nobody that is known."""
        scheme, _, word = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(word).decode().partition(":")
        except ValueError:
            return ""
        file = self.accounts / name
        if scheme != "Basic" or "/" in name or name.startswith(".") or not file.is_file():
            return ""
        return name if hmac.compare_digest(file.read_text().strip(), password) else ""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server

    def do_GET(self) -> None:
        if self.path == "/readyz":
            self._answer(200, {}, b"ok\n")
        else:
            self._git(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST:
            self._answer(413, {}, b"")
            return
        self._git(self.rfile.read(length))

    def _git(self, body: bytes) -> None:
        who = self.server.account(self.headers.get("Authorization", ""))
        if not who:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        if "git-receive-pack" in self.path and who not in self.server.writers:
            self._answer(403, {}, b"this account may read only\n")
            return
        url = urlsplit(self.path)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "GIT_PROJECT_ROOT": str(self.server.home),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": who,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=body, capture_output=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if line)
        status = int(fields.pop("Status", "200").split()[0])
        self._answer(status, fields, content)

    def _answer(self, status: int, fields: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in fields.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """The address and the account are enough."""
        print(f"{self.command} {urlsplit(self.path).path} {args[1] if len(args) > 1 else ''}")


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m e2e.gitops.server", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("/repositories"))
    parser.add_argument("--seed", type=Path, default=Path("/seed"))
    parser.add_argument("--accounts", type=Path, default=Path("/accounts"))
    parser.add_argument("--writer", action="append", default=[], help="who may push")
    asked = parser.parse_args()
    found(asked.home, asked.seed)
    server = Server(("", 8080), asked.home, asked.accounts, asked.writer)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.2)
    server.server_close()


if __name__ == "__main__":
    main()

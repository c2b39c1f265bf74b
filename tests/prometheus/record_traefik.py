"""Records what a real Traefik says of two revisions behind a route as Merit writes it.

    sudo unshare --net .venv/bin/python -m tests.prometheus.record_traefik TRAEFIK VERSION

TRAEFIK is the program, built from its Go module, with any file in webui/static:

    go mod download -json github.com/traefik/traefik/v3@v3.5.0     # then, in a copy of its Dir:
    CGO_ENABLED=0 go build -o traefik ./cmd/traefik

What takes longest are the DNS providers of ACME, each with its cloud's SDK: a copy of lego whose
providers/dns knows none, by a replace in go.mod, builds in a quarter of an hour.

Its Gateway API provider watches a real API server. An endpoint may not have a loopback address,
hence a network of this process's own, in which 192.0.2.1 is one more address of `lo`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.controlplane import ControlPlane
from e2e.dataplane.apply import GATEWAY_API, module

ADDRESS = "192.0.2.1"
RECORDED = Path(__file__).parent / "recorded" / "traefik.txt"
EDGES = "0.05,0.1,0.25,0.5,1"
WEB, METRICS, CLOSED = 8000, 8090, 9
SENT = 21  # to each revision: one fails, two are slow
PATIENCE = 60.0
KEPT = ("traefik_service_requests_total", "traefik_service_request_duration_seconds")
GATEWAY = "gateway.networking.k8s.io/v1"
HOW = (
    "# Traefik {}, Gateway API provider, 2026-11, built from its Go module without ACME's DNS "
    f"providers: a route of two equal weights to servers of one machine, {SENT} requests each, of "
    "which 1 fails and 2 are slow; 3 to a third revision where nobody listens; buckets "
    f"{EDGES}; only the series of services"
)


class Revision(BaseHTTPRequestHandler):
    """Its third request fails, its fifth and sixth are slow."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        with server.lock:
            server.seen += 1
            number = server.seen
        if number in (5, 6):
            time.sleep(0.3)
        self.send_response(500 if number == 3 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Requests are counted, not logged."""


def revision() -> int:
    """A server of one revision; its port."""
    server: Any = ThreadingHTTPServer((ADDRESS, 0), Revision)
    server.seen, server.lock, server.daemon_threads = 0, threading.Lock(), True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


def arm(short: str, port: int) -> list[dict[str, Any]]:
    """The Service of a revision as Merit names it, and its endpoint."""
    name = f"traefik-{short}"
    meta = {"name": name, "namespace": "ml"}
    labelled = meta | {"labels": {"kubernetes.io/service-name": name}}
    return [
        {
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": labelled,
            "addressType": "IPv4", "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
        },
    ]  # fmt: skip


def route(name: str, host: str, *shorts: str) -> dict[str, Any]:
    """A route of equal weights to these revisions."""
    backends = [{"name": f"traefik-{short}", "port": 80, "weight": 50} for short in shorts]
    return {
        "apiVersion": GATEWAY, "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "ml"},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "ml"}], "hostnames": [host],
            "rules": [{"backendRefs": backends}],
        },
    }  # fmt: skip


def objects() -> list[dict[str, Any]]:
    """Everything that Traefik reads."""
    listener = {"name": "web", "protocol": "HTTP", "port": WEB}
    klass = {"controllerName": "traefik.io/gateway-controller"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ml"}},
        {"apiVersion": GATEWAY, "kind": "GatewayClass", "metadata": {"name": "t"}, "spec": klass},
        {
            "apiVersion": GATEWAY, "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "ml"},
            "spec": {"gatewayClassName": "t", "listeners": [listener]},
        },
        *arm("aaaaaaaa", revision()), *arm("bbbbbbbb", revision()), *arm("cccccccc", CLOSED),
        route("both", "both.example.com", "aaaaaaaa", "bbbbbbbb"),
        route("nobody", "nobody.example.com", "cccccccc"),
    ]  # fmt: skip


def ask(host: str, path: str = "/predict", port: int = WEB) -> tuple[int, str]:
    """Code and body of an answer; 0 while nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def served(host: str) -> None:
    """Until Traefik knows the route: an unknown one is a 404, and counted by no service."""
    end = time.monotonic() + PATIENCE
    while ask(host)[0] in (0, 404):
        assert time.monotonic() < end, f"{host} is not served"
        time.sleep(0.2)


def main() -> None:
    """Writes recorded/traefik.txt."""
    program, version = sys.argv[1:]
    for words in (("link", "set", "lo", "up"), ("addr", "add", f"{ADDRESS}/32", "dev", "lo")):
        subprocess.run(["ip", *words], check=True)
    with tempfile.TemporaryDirectory() as scratch, ControlPlane(Path(scratch)) as plane:
        plane.kubectl("apply", "--server-side", "-f", f"{module(GATEWAY_API)}/config/crd/standard")
        plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects()))
        provider = "--providers.kubernetesgateway"
        traefik = subprocess.Popen(
            [
                program,
                f"{provider}.endpoint={plane.url}",
                f"{provider}.token={plane.token()}",
                f"{provider}.certauthfilepath={plane.ca}",
                f"--entrypoints.web.address=127.0.0.1:{WEB}",
                f"--entrypoints.metrics.address=127.0.0.1:{METRICS}",
                "--metrics.prometheus.entrypoint=metrics",
                f"--metrics.prometheus.buckets={EDGES}",
                "--global.checknewversion=false",
                "--global.sendanonymoususage=false",
            ]
        )
        try:
            for host, more in (("both.example.com", 2 * SENT), ("nobody.example.com", 3)):
                served(host)  # the first of them
                for _ in range(more - 1):
                    ask(host)
            text = ask("", "/metrics", METRICS)[1]
        finally:
            traefik.kill()
            traefik.wait()
    series = "|".join(KEPT)
    kept = [line for line in text.splitlines() if re.match(f"(# (HELP|TYPE) )?({series})", line)]
    RECORDED.write_text("\n".join([HOW.format(version), *kept]) + "\n")
    print(f"{len(kept)} lines in {RECORDED}")


if __name__ == "__main__":
    main()

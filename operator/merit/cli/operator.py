"""`merit run`: runs the operator."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import sys
from pathlib import Path

from merit.cli.command import Commands

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def add(commands: Commands) -> None:
    """Declare the command."""
    run_ = commands.add_parser("run", help="run the operator")
    run_.add_argument("--config", type=Path, required=True, help="the configuration, a YAML file")
    run_.add_argument(
        "--listen",
        type=_address,
        default="0.0.0.0:8080",
        metavar="HOST:PORT",
        help="where /livez, /readyz and /metrics are served (default: %(default)s)",
    )
    run_.add_argument(
        "--namespace",
        default=_own_namespace(),
        help="the namespace of the Lease (default: this pod's own, else default)",
    )
    run_.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Run one replica until SIGTERM. Returns the exit code."""
    # Imported here, so that the other commands start fast and need no kopf.
    from merit.config import load
    from merit.process import app, logs
    from merit.process.assembly import build
    from merit.prometheus.preset import find_preset

    try:
        config = load(chosen.config)
        for source in config.metrics.sources.values():
            for preset in filter(None, (source.preset, source.server)):
                find_preset(preset, config.metrics.presets)
    except ValueError as error:
        print(f"merit: {error}", file=sys.stderr)
        return 1
    config = config.with_report_image(os.environ.get("MERIT_IMAGE", ""))
    logs.configure(level=config.log.level, form=config.log.format)
    host, port = chosen.listen
    options = app.Options(
        namespace=chosen.namespace,
        # With the host name alone, a restarted pod would take the old Lease for its own.
        identity=f"{socket.gethostname()}-{secrets.token_hex(4)}",
        host=host,
        port=port,
    )
    return asyncio.run(app.run(config, options, build=build))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _own_namespace() -> str:
    if named := os.environ.get("POD_NAMESPACE"):
        return named
    return NAMESPACE.read_text().strip() if NAMESPACE.exists() else "default"

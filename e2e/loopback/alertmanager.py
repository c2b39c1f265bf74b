"""Alertmanager on loopback; what it sends to people goes to an address of the caller's."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2e.cluster import debs
from e2e.loopback.server import ADDRESS, Server

# Groups and waits are those of a usual installation, in seconds instead of minutes.
CONFIG = """\
route:
  receiver: people
  group_by: [alertname, namespace, name]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: people
{webhook}
"""
WEBHOOK = "  webhook_configs: [{{url: '{url}', send_resolved: true}}]"


class Alertmanager(Server):
    """`webhook`: where notifications go, as people would get them."""

    name = "alertmanager"

    def __init__(self, directory: Path, *, webhook: str = "") -> None:
        super().__init__(directory)
        self._webhook = webhook

    def command(self) -> Sequence[str | Path]:
        """Alone: it neither looks for peers nor listens for them."""
        config = self.directory / "alertmanager.yml"
        webhook = WEBHOOK.format(url=self._webhook) if self._webhook else ""
        config.write_text(CONFIG.format(webhook=webhook))
        package = debs.package("prometheus-alertmanager")
        # Debian's program reads its templates below /usr/share, where nothing was installed: they
        # are there in a mount namespace of its own.
        root = [] if os.geteuid() == 0 else ["--map-root-user"]
        place = 'mount --bind "$0" /usr/share && exec "$@"'
        return [
            *("unshare", "--mount", *root, "--", "sh", "-c", place, package / "usr/share"),
            package / "usr/bin/prometheus-alertmanager",
            f"--config.file={config}",
            f"--storage.path={self.directory}/data",
            f"--web.listen-address={ADDRESS}:{self.port}",
            "--cluster.listen-address=",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire now, as its API tells them."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

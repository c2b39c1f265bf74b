"""Requests as vegeta reads them: one JSON object a line, without end."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator

from e2e.model.data import Features


def lines(url: str, host: str, payments: Iterable[Features]) -> Iterator[str]:
    """Targets that POST these payments to `url`, asking for the virtual host `host`."""
    header = {"Host": [host], "Content-Type": ["application/json"]}
    for features in payments:
        body = json.dumps({"features": features}).encode()
        yield json.dumps(
            {
                "method": "POST",
                "url": url,
                "header": header,
                "body": base64.b64encode(body).decode(),
            }
        )

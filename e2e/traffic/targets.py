"""Requests as vegeta reads them: one JSON object a line, without end."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from e2e.model import data


def lines(url: str, host: str, new_channel: float = data.NEW_CHANNEL_SHARE) -> Iterator[str]:
    """Targets that POST live payments to `url`, asking for the virtual host `host`.

    `new_channel`: the share of payments by a channel that no model was trained on.
    """
    header = {"Host": [host], "Content-Type": ["application/json"]}
    for features in data.live(new_channel=new_channel):
        body = json.dumps({"features": features}).encode()
        yield json.dumps(
            {
                "method": "POST",
                "url": url,
                "header": header,
                "body": base64.b64encode(body).decode(),
            }
        )

"""What came back: every request ends up in exactly one count."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """Totals since the start. An answer is ok below 400; no answer at all has the code 0.

    `limit`: seconds from which an answer is slow, whatever it says.
    """

    limit: float = 0.25

    codes: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    slow: int = 0
    last_error: str = ""

    def add(self, result: dict[str, Any]) -> None:
        """Counts one result of `vegeta encode`."""
        code = int(result["code"])
        self.slow += result.get("latency", 0) > self.limit * 1e9
        self.codes[code] += 1
        kind = "ok" if self._is_ok(code) else "failed"
        if kind == "failed":
            self.last_error = str(result.get("error") or code)
        self.versions[f"{_version(result.get('body'))}/{kind}"] += 1

    def line(self, *, at: float) -> str:
        """The totals as one line of JSON; `at` is Unix time in seconds."""
        ok = sum(n for code, n in self.codes.items() if self._is_ok(code))
        total = self.codes.total()
        return json.dumps(
            {
                "at": round(at, 1),
                "total": total,
                "ok": ok,
                "failed": total - ok,
                "slow": self.slow,
                "codes": {str(code): n for code, n in sorted(self.codes.items())},
                "versions": dict(sorted(self.versions.items())),
                "lastError": self.last_error,
            }
        )

    @staticmethod
    def _is_ok(code: int) -> bool:
        return 100 <= code < 400


def _version(body: str | None) -> str:
    """Which version says it answered; "none" where no model did, as when the gateway refused."""
    try:
        return str(json.loads(base64.b64decode(body or ""))["version"])
    except (ValueError, KeyError, TypeError):
        return "none"

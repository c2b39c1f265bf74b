"""The writes of the operator, named so that the same one is found in every run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HASH = re.compile(r"(?<=-)[0-9a-f]{6,8}(?=-|$)")
UNSEEN = ("leases", "events")  # not about an object's state
PATH = re.compile(
    r"^/(?:api|apis/[^/]+)/[^/]+/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$"
)


@dataclass
class Write:
    """One write as it arrived. `verb`: as the world's store calls it. `at`: monotonic seconds.

    `measured`: a status that says nothing but newer figures.
    """

    method: str
    verb: str
    namespace: str
    plural: str
    name: str
    body: Mapping[str, Any]
    at: float = 0.0
    measured: bool = False

    @property
    def uid(self) -> str:
        """Of what is to be deleted."""
        uid: str = (self.body.get("preconditions") or {}).get("uid", "")
        return uid

    @property
    def label(self) -> str:
        """What it does, without hashes and namespaces."""
        short = HASH.sub("#", self.name)
        if self.plural != "modeldeployments":
            return f"{self.verb} {self.plural} {short}"
        if self.verb != "status":
            return f"{self.verb} pin"
        status = self.body.get("status") or {}
        parts = [status.get("phase") or ""]
        for part in ("candidate", "comparison"):
            if isinstance(status.get(part), dict):
                parts.append(f"{part} {status[part].get('stage', '')}".strip())
        if isinstance(status.get("rejected"), list) and status["rejected"]:
            parts.append("rejected")
        return f"status {', '.join(filter(None, parts))}"


def write_of(method: str, path: str, query: Mapping[str, str], body: bytes) -> Write | None:
    """The write that this request is; None for reads, dry runs, the Lease and Events."""
    found = PATH.match(path)
    if method == "GET" or found is None or "dryRun" in query or found["plural"] in UNSEEN:
        return None
    content = json.loads(body) if body else {}
    name = found["name"] or content.get("metadata", {}).get("name", "")
    verb = {"POST": "create", "PUT": "update", "DELETE": "delete"}.get(method, "")
    if method == "PATCH":
        verb = found["sub"] or ("apply" if "force" in query else "patch")
    return Write(method, verb, found["namespace"], found["plural"], name, content)


@dataclass(frozen=True, order=True)
class Moment:
    """The n-th write of one kind (by its label) since the part of a scenario that is disturbed."""

    number: int
    label: str
    nth: int


def moments(writes: list[Write]) -> list[Moment]:
    """Each write of a run."""
    seen: dict[str, int] = {}
    found = []
    for number, write in enumerate(writes, 1):
        seen[write.label] = seen.get(write.label, 0) + 1
        found.append(Moment(number, write.label, seen[write.label]))
    return found

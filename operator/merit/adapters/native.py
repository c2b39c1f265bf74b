"""`Native` in a file: a report without revision and nonce, which the container adds."""

from __future__ import annotations

from merit.adapters.found import Found, read_json
from merit.policy.evaluation.report import SCHEMA, content
from merit.policy.evaluation.strict import Refusal

_REST = ("dataset", "stable", "reference", "artifact")


def parse(raw: bytes) -> Found:
    """Section by section as written, once it is known to be a report. Raises Refusal."""
    tree = read_json(raw)
    if tree.get("schema", SCHEMA) != SCHEMA:
        raise Refusal("UnknownSchema", f"the report's schema is not {SCHEMA}")
    content(tree)
    return Found(
        tree=tree,
        metrics=tree["metrics"],
        slices=tree.get("slices") or {},
        rest={key: tree[key] for key in _REST if tree.get(key)},
    )

"""`Native` in a file: a report; the container adds revision and nonce."""

from __future__ import annotations

from merit.cli.adapters.parsed import Parsed, read_json
from merit.policy.gates.evaluation.report import SCHEMA, parse_content
from merit.policy.gates.strict_json import Refusal

_REST = ("dataset", "stable", "reference", "artifact")


def parse(raw: bytes) -> Parsed:
    """The sections as written, if they form a valid report. Raises Refusal."""
    tree = read_json(raw)
    if tree.get("schema", SCHEMA) != SCHEMA:
        raise Refusal("UnknownSchema", f"the report's schema is not {SCHEMA}")
    parse_content(tree)
    return Parsed(
        tree=tree,
        metrics=tree["metrics"],
        slices=tree.get("slices") or {},
        rest={key: tree[key] for key in _REST if tree.get(key)},
    )

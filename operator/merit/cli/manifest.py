"""Reads one ModelDeployment of a file and changes some of its fields."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from merit.api.names import API_VERSION, KIND
from merit.cli.command import UNREADABLE, CommandError
from merit.cli.documents import NotYaml, documents


def manifest(
    file: str, *, name: str | None, changes: Sequence[str]
) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """The changed spec, the object's name, and a sentence for each field that is ignored.

    `file`: a path, or - for stdin. `name`: which object, if there are several. Raises CommandError.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        objects = [d.content for d in documents(text) if _is_wanted(d.content, name)]
    except OSError as error:
        raise CommandError(f"{file}: cannot be read: {error.strerror}", UNREADABLE) from error
    except (NotYaml, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: is not YAML: {error}", UNREADABLE) from error
    if len(objects) != 1:
        wanted = f"{KIND} {name}" if name else f"{KIND} of {API_VERSION}"
        several = "has several: name one with --name" if objects else "is not in it"
        raise CommandError(f"{file}: {wanted} {several}")
    raw = objects[0].get("spec")
    raw = dict(raw) if isinstance(raw, dict) else {}
    for change in changes:
        _apply_change(raw, change)
    spec, notes = _without_manual_steps(raw)
    return spec, str(objects[0]["metadata"].get("name", "")), notes


def _is_wanted(content: Any, name: str | None) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("metadata"), dict):
        return False
    if (content.get("apiVersion"), content.get("kind")) != (API_VERSION, KIND):
        return False
    return name is None or content["metadata"].get("name") == name


def _apply_change(raw: dict[str, Any], change: str) -> None:
    path, equals, text = change.partition("=")
    keys = path.removeprefix("spec.").split(".")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        equals = ""
    if not equals or not all(keys):
        raise CommandError(f"--set {change}: write FIELD=VALUE, as rollout.blastRadius=0.5%")
    for key in keys[:-1]:
        inner = raw.get(key)
        raw[key] = raw = dict(inner) if isinstance(inner, dict) else {}
    raw[keys[-1]] = value


def _without_manual_steps(raw: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The spec as a simulation runs it: without approvals, pause and bypass."""
    notes: list[str] = []
    rollout = raw.get("rollout")
    if isinstance(rollout, Mapping) and rollout.get("approvals"):
        raw = raw | {"rollout": {k: v for k, v in rollout.items() if k != "approvals"}}
        notes.append("approvals are given at once here; in the cluster they wait for a person")
    for key, note in (("paused", "paused: true is ignored"), ("bypass", "the bypass is ignored")):
        if raw.get(key):
            notes.append(f"{note} here")
    raw = {k: v for k, v in raw.items() if k not in ("paused", "bypass", "rollback")}
    return raw, tuple(notes)

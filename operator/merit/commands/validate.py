"""`merit validate FILE…`: the checks of the operator and of the CRD, without a cluster."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merit.api.names import API_VERSION, KIND
from merit.api.quantity import parse_duration
from merit.commands.command import Commands

if TYPE_CHECKING:  # the other commands shall not wait for what only this one needs
    from merit.api.validation import Invalid
    from merit.commands.documents import Document
    from merit.policy.telling.advice import Advice
    from merit.policy.telling.outlook import Ahead

WRONG, UNREADABLE = 1, 2


@dataclass(frozen=True, slots=True)
class Found:
    """What is said about one document. `skipped`: what it is, if it is of another kind."""

    file: str
    document: Document
    name: str = ""
    skipped: str = ""
    errors: tuple[Invalid, ...] = ()
    warnings: tuple[Advice, ...] = ()
    stages: tuple[Ahead, ...] = ()


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "validate",
        help="check manifests, offline",
        description="Checks ModelDeployments as the cluster would; other kinds are skipped. "
        "Exit code: 0 all are valid, 1 one is not, 2 a file cannot be read.",
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="a YAML file; - is stdin")
    command.add_argument("-o", "--output", choices=("text", "json"), default="text")
    command.add_argument(
        "--edges",
        type=_edges,
        metavar="100ms,250ms,…",
        help="upper edges of the gateway's latency histogram (default: those of Envoy)",
    )
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Check every file. Returns the exit code."""
    from merit.commands.documents import NotYaml, documents

    found: list[Found] = []
    unreadable: list[tuple[str, str]] = []
    for file in chosen.files:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
            found += [look(file, document, chosen.edges) for document in documents(text)]
        except OSError as error:
            unreadable.append((file, f"cannot be read: {error.strerror}"))
        except (NotYaml, UnicodeDecodeError) as error:
            unreadable.append((file, f"is not YAML: {error}"))
    if chosen.output == "json":
        print(json.dumps(_json(found, unreadable), indent=2, ensure_ascii=False))
    else:
        for file, why in unreadable:
            print(f"{file}: {why}", file=sys.stderr)
        for line in _text(found):
            print(line)
    if unreadable:
        return UNREADABLE
    return WRONG if any(each.errors for each in found) else 0


def look(file: str, document: Document, edges: Sequence[float] | None = None) -> Found:
    """Everything there is to say about one document."""
    from merit.api.spec import Spec
    from merit.api.structural import violations
    from merit.api.validation import Invalid, read_spec
    from merit.policy.telling.advice import ENVOY_EDGES, advise
    from merit.policy.telling.outlook import outlook

    content = document.content
    if not isinstance(content, dict) or content.get("kind") != KIND:
        return Found(file, document, skipped=_kind(content))
    meta, raw = content.get("metadata"), content.get("spec")
    name = str(meta.get("name", "")) if isinstance(meta, dict) else ""
    if content.get("apiVersion") != API_VERSION:
        wrong = Invalid("apiVersion", "is not that of Merit", f"write {API_VERSION}")
        return Found(file, document, name, errors=(wrong,))
    spec = read_spec(raw if isinstance(raw, dict) else {}, name=name)
    if not isinstance(spec, Spec):
        return Found(file, document, name, errors=spec)
    return Found(
        file,
        document,
        name,
        errors=tuple(violations(raw, _schema(), "spec")),
        warnings=advise(spec, edges=edges or ENVOY_EDGES, now=time.time()),
        stages=outlook(spec, now=time.time()),
    )


@cache
def _schema() -> Mapping[str, Any]:
    from merit.api.crd import crd

    (version,) = crd()["spec"]["versions"]
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def _kind(content: Any) -> str:
    kind = content.get("kind") if isinstance(content, dict) else None
    meta = content.get("metadata") if isinstance(content, dict) else None
    name = meta.get("name") if isinstance(meta, dict) else None
    return f"{kind or 'no Kubernetes object'}{f' {name}' if name else ''}"


def _text(found: Sequence[Found]) -> Iterator[str]:
    for each in found:
        at = f"{each.file}:{each.document.line()}"
        if each.skipped:
            yield f"{at}: {each.skipped}: skipped"
            continue
        for wrong in each.errors:
            yield f"{each.file}:{each.document.line(wrong.field)}: {wrong.sentence()}"
        if each.errors:
            continue
        for warning in each.warnings:
            line = each.document.line(warning.field)
            yield f"{each.file}:{line}: warning: {warning.sentence()}"
        yield f"{at}: {KIND} {each.name}: valid"
        for ahead in each.stages:
            runs = "runs" if ahead.runs else "does not run"
            yield f"  {ahead.stage:<12} {runs}: {ahead.words}"


def _json(found: Sequence[Found], unreadable: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "unreadable": [{"file": file, "message": why} for file, why in unreadable],
        "skipped": [
            {"file": e.file, "line": e.document.line(), "what": e.skipped}
            for e in found
            if e.skipped
        ],
        "objects": [
            {
                "file": e.file,
                "line": e.document.line(),
                "name": e.name,
                "valid": not e.errors,
                "errors": [_finding(e.document, wrong) for wrong in e.errors],
                "warnings": [_finding(e.document, warning) for warning in e.warnings],
                "stages": [{"stage": a.stage, "runs": a.runs, "what": a.words} for a in e.stages],
            }
            for e in found
            if not e.skipped
        ],
    }


def _finding(document: Document, said: Invalid | Advice) -> dict[str, Any]:
    return {
        "field": said.field,
        "line": document.line(said.field),
        "message": said.message,
        "remedy": said.remedy,
    }


def _edges(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted(parse_duration(part.strip()) for part in text.split(",")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

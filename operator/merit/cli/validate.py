"""`merit validate FILE…`: checks manifests as operator and CRD would, without a cluster."""

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
from merit.cli.command import UNREADABLE, WRONG, Commands

if TYPE_CHECKING:  # imported at run time only by this command
    from merit.api.validation import Invalid
    from merit.cli.advice import Advice
    from merit.cli.documents import Document
    from merit.cli.preview import StagePreview


@dataclass(frozen=True, slots=True)
class Checked:
    """The result for one document. `skipped`: its kind and name, if it is no ModelDeployment."""

    file: str
    document: Document
    name: str = ""
    skipped: str = ""
    errors: tuple[Invalid, ...] = ()
    warnings: tuple[Advice, ...] = ()
    stages: tuple[StagePreview, ...] = ()


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
    from merit.cli.documents import NotYaml, documents

    checked: list[Checked] = []
    unreadable: list[tuple[str, str]] = []
    for file in chosen.files:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
            checked += [check(file, document, chosen.edges) for document in documents(text)]
        except OSError as error:
            unreadable.append((file, f"cannot be read: {error.strerror}"))
        except (NotYaml, UnicodeDecodeError) as error:
            unreadable.append((file, f"is not YAML: {error}"))
    if chosen.output == "json":
        print(json.dumps(_json(checked, unreadable), indent=2, ensure_ascii=False))
    else:
        for file, why in unreadable:
            print(f"{file}: {why}", file=sys.stderr)
        for line in _text(checked):
            print(line)
    if unreadable:
        return UNREADABLE
    return WRONG if any(each.errors for each in checked) else 0


def check(file: str, document: Document, edges: Sequence[float] | None = None) -> Checked:
    """Check one document."""
    from merit.api.spec import Spec
    from merit.api.structural import violations
    from merit.api.validation import Invalid, read_spec
    from merit.cli.advice import ENVOY_EDGES, advise
    from merit.cli.preview import preview

    content = document.content
    if not isinstance(content, dict) or content.get("kind") != KIND:
        return Checked(file, document, skipped=_kind(content))
    meta, raw = content.get("metadata"), content.get("spec")
    name = str(meta.get("name", "")) if isinstance(meta, dict) else ""
    if content.get("apiVersion") != API_VERSION:
        wrong = Invalid("apiVersion", "is not that of Merit", f"write {API_VERSION}")
        return Checked(file, document, name, errors=(wrong,))
    spec = read_spec(raw if isinstance(raw, dict) else {}, name=name)
    if not isinstance(spec, Spec):
        return Checked(file, document, name, errors=spec)
    return Checked(
        file,
        document,
        name,
        errors=tuple(violations(raw, _schema(), "spec")),
        warnings=advise(spec, edges=edges or ENVOY_EDGES, now=time.time()),
        stages=preview(spec, now=time.time()),
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


def _text(checked: Sequence[Checked]) -> Iterator[str]:
    for each in checked:
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
        for stage in each.stages:
            runs = "runs" if stage.runs else "does not run"
            yield f"  {stage.stage:<12} {runs}: {stage.text}"


def _json(checked: Sequence[Checked], unreadable: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "unreadable": [{"file": file, "message": why} for file, why in unreadable],
        "skipped": [
            {"file": e.file, "line": e.document.line(), "what": e.skipped}
            for e in checked
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
                "stages": [{"stage": a.stage, "runs": a.runs, "what": a.text} for a in e.stages],
            }
            for e in checked
            if not e.skipped
        ],
    }


def _finding(document: Document, finding: Invalid | Advice) -> dict[str, Any]:
    return {
        "field": finding.field,
        "line": document.line(finding.field),
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _edges(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted(parse_duration(part.strip()) for part in text.split(",")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

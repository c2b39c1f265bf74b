"""Writes what is derived: the CRD, its copy in the chart, and the pages that must not drift.

`make crd` writes; a test compares `pages()` with what is checked in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.dashboard import dashboard
from merit.alerts.client import Alertmanager
from merit.alerts.outbox import Outbox
from merit.api.crd import crd, crd_yaml
from merit.api.reasons import REASONS
from merit.figures import Calls, Parts, Queue, families
from merit.policy.responses import EFFECTS, Effects
from merit.policy.telling.alarm import KINDS

ROOT = Path(__file__).resolve().parents[1]
CRD = "merit.dev_modeldeployments.yaml"
BEGIN, END = "<!-- generated: {} -->", "<!-- end of {} -->"


def pages() -> dict[Path, str]:
    """Every derived file, by its path, as it should be."""
    operations = ROOT / "docs" / "operations.md"
    alerts = ROOT / "docs" / "alerts.md"
    told = within(operations.read_text(), "reasons", reasons())
    return {
        ROOT / "crds" / CRD: crd_yaml(),
        ROOT / "charts" / "merit" / "files" / CRD: crd_yaml(),
        ROOT / "charts" / "merit" / "files" / "dashboard.json": dashboard(),
        ROOT / "docs" / "reference.md": reference(crd()),
        alerts: within(alerts.read_text(), "alarms", alarms()),
        operations: within(within(told, "responses", responses()), "metrics", metrics()),
    }


def within(page: str, part: str, text: str) -> str:
    """The page with the generated part between its two marks replaced. ValueError without marks."""
    begin, end = BEGIN.format(part), END.format(part)
    head, tail = page[: page.index(begin)], page[page.index(end) :]
    return f"{head}{begin}\n{text}{tail}"


def reasons() -> str:
    """A table of every reason, in the order in which a model meets them."""
    rows = (f"| `{r.word}` | {r.sentence} | {r.remedy or 'nothing'} |\n" for r in REASONS.values())
    return "| reason | it means | what to do |\n|---|---|---|\n" + "".join(rows)


def alarms() -> str:
    """A table of every alert, the gravest first."""
    rows = (f"| `{k.name}` | {k.severity} | {k.means} | {k.remedy} |\n" for k in KINDS)
    return "| alert | severity | it means | what to do |\n|---|---|---|---|\n" + "".join(rows)


def metrics() -> str:
    """A table of every metric that the operator exports of itself."""
    queue = Queue({}, {}, {}, 0.0)
    parts = Parts(
        calls=Calls(),
        queue=lambda: queue,
        leading=lambda: False,
        lag=lambda: 0.0,
        watch_ages=dict,
        now=lambda: 0.0,
        outbox=Outbox(Alertmanager("http://127.0.0.1:9")),
    )
    rows = (f"| `{each.name}` | {each.kind} | {each.text} |\n" for each in families(parts))
    return "| metric | type | |\n|---|---|---|\n" + "".join(rows)


def responses() -> str:
    """A table of every response: what it does to a candidate, and to what is live."""
    rows = (
        f"| `{response}`{'' if automatic else ', `automatic: false`'} "
        f"| {_words(candidate, LOST)} | {_words(live, COMPARED)} |\n"
        for (response, automatic), (candidate, live) in EFFECTS.items()
    )
    head = "| response | a candidate that has traffic | what is live |\n|---|---|---|\n"
    return head + "".join(rows)


LOST = "is rejected and loses its traffic at once"
COMPARED = "is compared with its predecessor, and rolled back if it is to blame"


def _words(effects: Effects, takes_back: str) -> str:
    told = [takes_back] if effects.takes_back else []
    told += ["stays as it is until that is over or a person decides"] if effects.holds else []
    told += ["the owner is alerted"] if effects.alerts else []
    told += ["a retraining is started"] if effects.retrains else []
    return "; ".join(told)


def reference(definition: Mapping[str, Any]) -> str:
    """Every field of the resource: its type, whether it must be there, what it does."""
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    text = (
        "# Reference: ModelDeployment\n\n"
        "Generated from the CRD (`make crd`); `kubectl explain modeldeployment.spec --recursive` "
        "shows the same.\nDurations are Go's (`90s`, `15m`; no days), shares are percentages "
        "(`1%`), money and bars are decimal strings.\n"
    )
    for part in ("spec", "status"):
        text += f"\n## {part}\n"
        if part == "status":
            text += "\nWritten by the operator only.\n"
        plain, nested = {}, {}
        for name, node in schema[part]["properties"].items():
            (nested if list(_children(node)) else plain)[name] = node
        required = schema[part].get("required", [])
        if plain:
            text += _table(_row(n, node, n in required) for n, node in plain.items())
        for name, node in nested.items():
            text += f"\n### {part}.{name}\n\n{_line(node)}\n"
            text += _table(_rows(node, ""))
    return text


def _table(rows: Iterator[str]) -> str:
    return "\n| field | type | required | |\n|---|---|---|---|\n" + "".join(rows)


def _rows(node: Mapping[str, Any], path: str) -> Iterator[str]:
    inside = node.get("items", node) if node.get("type") == "array" else node
    required = inside.get("required", [])
    for name, child in _children(node):
        yield _row(path + name, child, name in required)
        yield from _rows(child, f"{path}{name}{'[]' if child.get('type') == 'array' else ''}.")


def _children(node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inside = node.get("items", {}) if node.get("type") == "array" else node
    yield from inside.get("properties", {}).items()


def _row(name: str, node: Mapping[str, Any], required: bool) -> str:
    return f"| `{name}` | {_type(node)} | {'yes' if required else ''} | {_line(node)} |\n"


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " \\| ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    return str(node.get("type", "any"))


def _line(node: Mapping[str, Any]) -> str:
    return " ".join(str(node.get("description", "")).split()).replace("|", "\\|")


def main() -> None:
    """Write what is stale, and say so."""
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{path.relative_to(ROOT)}: written")


if __name__ == "__main__":
    main()

"""Writes the generated files: the CRD, its copy in the chart, and tables in the documentation.

`make crd` writes; a test compares `pages()` with what is checked in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.dashboard import dashboard
from merit.alertmanager.client import Alertmanager
from merit.alertmanager.outbox import Outbox
from merit.api.crd import crd, crd_yaml
from merit.api.reasons import REASONS
from merit.policy.report.alert_kinds import KINDS
from merit.policy.state.responses import EFFECTS, Effects
from merit.process.exporter import Calls, OperatorMetrics, QueueStats

ROOT = Path(__file__).resolve().parents[1]
CRD = "merit.dev_modeldeployments.yaml"
BEGIN, END = "<!-- generated: {} -->", "<!-- end of {} -->"


def pages() -> dict[Path, str]:
    """Every generated file, by its path, with the text that it should have."""
    operations = ROOT / "docs" / "operations.md"
    alerts = ROOT / "docs" / "alerts.md"
    with_reasons = within(operations.read_text(), "reasons", reasons())
    return {
        ROOT / "crds" / CRD: crd_yaml(),
        ROOT / "charts" / "merit" / "files" / CRD: crd_yaml(),
        ROOT / "charts" / "merit" / "files" / "dashboard.json": dashboard(),
        ROOT / "docs" / "reference.md": reference(crd()),
        alerts: within(alerts.read_text(), "alerts", alert_kinds()),
        operations: within(within(with_reasons, "responses", responses()), "metrics", metrics()),
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


def alert_kinds() -> str:
    """A table of every alert, the most severe first."""
    rows = (f"| `{k.name}` | {k.severity} | {k.means} | {k.remedy} |\n" for k in KINDS)
    return "| alert | severity | it means | what to do |\n|---|---|---|---|\n" + "".join(rows)


def metrics() -> str:
    """A table of every metric that the operator exports of itself."""
    queue = QueueStats({}, {}, {}, 0.0)
    exported = OperatorMetrics(
        calls=Calls(),
        queue=lambda: queue,
        leading=lambda: False,
        lag=lambda: 0.0,
        watch_ages=dict,
        now=lambda: 0.0,
        outbox=Outbox(Alertmanager("http://127.0.0.1:9")),
    )
    rows = (
        f"| `{each.name}{'_total' if each.type == 'counter' else ''}` | {each.type} | "
        f"{each.documentation} |\n"
        for each in exported.collect()
    )
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
COMPARED = "is compared with its predecessor, and rolled back if it is worse"


def _words(effects: Effects, rolls_back: str) -> str:
    words = [rolls_back] if effects.rolls_back else []
    words += ["stays as it is until the breach ends or a person decides"] if effects.holds else []
    words += ["the owner is alerted"] if effects.alerts else []
    words += ["a retraining is started"] if effects.retrains else []
    return "; ".join(words)


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

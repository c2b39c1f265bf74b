"""The Grafana dashboard of the chart, as data: the queries of each panel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

ONE = 'object_namespace=~"$namespace", object=~"$object"'
WIDTH = 24  # columns of Grafana's grid


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries`: legend -> PromQL. `width`: columns of 24. `about`: what the panel shows."""

    title: str
    queries: dict[str, str]
    about: str
    unit: str = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"
    width: int = 12
    height: int = 8


ROWS: dict[str, tuple[Panel, ...]] = {
    "The flow": (
        Panel(
            "Models by phase",
            {"{{phase}}": "sum by (phase) (merit_objects)"},
            "The phase of every ModelDeployment.",
            kind="stat",
            width=16,
            height=5,
        ),
        Panel(
            "Firing alerts",
            {"{{severity}}": "sum by (severity) (merit_alerts_firing) or vector(0)"},
            "Alerts about models that fire now.",
            kind="stat",
            width=8,
            height=5,
        ),
        Panel(
            "Decisions",
            {"{{reason}}": "sum by (reason) (increase(merit_decisions_total[$__rate_interval]))"},
            "Decisions by reason. Each one is also an Event of its object.",
        ),
        Panel(
            "Verdicts",
            {
                "{{stage}}: {{verdict}}": "sum by (stage, verdict) "
                "(increase(merit_verdicts_total[$__rate_interval]))"
            },
            "New verdicts of each stage of the flow.",
        ),
    ),
    "One model": (
        Panel(
            "Weight of the candidate",
            {"{{object_namespace}}/{{object}}": f"merit_candidate_weight{{{ONE}}}"},
            "Percent of traffic that the candidate has.",
            unit="percent",
        ),
        Panel(
            "Evidence and its threshold",
            {
                "evidence {{object}}": f"merit_log_e_value{{{ONE}}}",
                "threshold {{object}}": f"merit_log_e_threshold{{{ONE}}}",
            },
            "Log e-value that the candidate is worse. At the threshold it is rejected.",
        ),
        Panel(
            "Signals: used share of the bar",
            {"{{object}} {{signal}}": f"merit_signal_bar_used{{{ONE}}}"},
            "1 is the bar; above it the signal is breached.",
            unit="percentunit",
        ),
        Panel(
            "Cost per hour",
            {"{{object_namespace}}/{{object}}": f"merit_cost_per_hour{{{ONE}}}"},
            "All replicas of all revisions, by the price book, in its currency.",
        ),
    ),
    "The operator": (
        Panel(
            "Leading replicas",
            {"leaders": "sum(merit_leader)"},
            "Must be 1; with 0 nothing is decided.",
            kind="stat",
            width=4,
        ),
        Panel(
            "Evidence lag",
            {"oldest": "max(merit_evidence_lag_seconds)"},
            "Age of the data that a candidate with traffic is judged by.",
            unit="s",
            width=10,
        ),
        Panel(
            "Waiting work",
            {"{{lane}}": "max by (lane) (merit_queue_oldest_seconds)"},
            "How long the oldest key of the work queue is overdue.",
            unit="s",
            width=10,
        ),
        Panel(
            "Reconcile passes",
            {"{{outcome}}": "sum by (outcome) (rate(merit_reconciles_total[$__rate_interval]))"},
            "Per second, by outcome.",
            unit="ops",
        ),
        Panel(
            "Calls to the API server",
            {
                "{{verb}} {{code}}": "sum by (verb, code) "
                "(rate(merit_api_requests_total[$__rate_interval]))"
            },
            "Per second; code 0: no answer.",
            unit="reqps",
        ),
        Panel(
            "Queries to Prometheus",
            {
                "{{source}} {{outcome}}": "sum by (source, outcome) "
                "(rate(merit_prometheus_queries_total[$__rate_interval]))"
            },
            "Per second. It does not grow with the number of models.",
            unit="reqps",
        ),
        Panel(
            "Age of the cache",
            {"{{kind}}": "max by (kind) (merit_watch_age_seconds)"},
            "Time since the cache of a kind was confirmed; a relist does that every ten minutes.",
            unit="s",
        ),
        Panel(
            "Alerts to Alertmanager",
            {
                "sent": "sum(rate(merit_alerts_sent_total[$__rate_interval]))",
                "failed requests": "sum(rate(merit_alerts_failed_total[$__rate_interval]))",
            },
            "Per second, including repeated ones.",
            unit="ops",
        ),
        Panel(
            "Event loop",
            {"lag": "max(merit_loop_lag_seconds)"},
            "How late it is. A delay of ten seconds ends the process.",
            unit="s",
        ),
    ),
}


def queries() -> list[str]:
    """Every query of every panel, its variables filled in as Grafana does for all objects."""
    found = (q for row in ROWS.values() for panel in row for q in panel.queries.values())
    fill = (("$namespace", ".*"), ("$object", ".*"), ("$__rate_interval", "1m"))
    result = []
    for query in found:
        for variable, value in fill:
            query = query.replace(variable, value)
        result.append(query)
    return result


def dashboard() -> str:
    """The JSON that Grafana imports."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(
            {
                "type": "row",
                "title": title,
                "id": len(panels) + 1,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        top, left, tallest = top + 1, 0, 0
        for panel in row:
            if left + panel.width > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            panels.append(_panel(panel, len(panels) + 1, left, top))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return json.dumps(_whole(panels), indent=1) + "\n"


def _panel(panel: Panel, number: int, left: int, top: int) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "id": number,
        "datasource": source,
        "gridPos": {"x": left, "y": top, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + n), "datasource": source, "expr": query, "legendFormat": legend}
            for n, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _whole(panels: list[dict[str, Any]]) -> dict[str, Any]:
    def choice(name: str, label: str, query: str) -> dict[str, Any]:
        return {
            "type": "query",
            "name": name,
            "label": label,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "query": {"query": query, "refId": name},
            "definition": query,
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }

    values = "label_values(merit_candidate_weight{{{0}}}, {1})"
    return {
        "uid": "merit",
        "title": "Merit",
        "description": "Models on their way from declared to serving, and the operator itself.",
        "tags": ["merit"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"type": "datasource", "name": "datasource", "query": "prometheus"},
                choice("namespace", "Namespace", values.format("", "object_namespace")),
                choice(
                    "object", "Model", values.format('object_namespace=~"$namespace"', "object")
                ),
            ]
        },
        "panels": panels,
    }

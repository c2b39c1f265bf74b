"""`python -m e2e.queries URL`: does every query of the chart's rules and dashboard find data?

Run against a Prometheus that scrapes an operator with at least one model in its canary. A query
that finds nothing there is a panel that stays empty, or an alert that can never fire.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from docs.dashboard import queries as panels

RULES = Path(__file__).parents[1] / "charts" / "merit" / "files" / "rules.yaml"
_BOUND = re.compile(r"\s*(?:>|<|>=|<=|==)\s*[0-9.]+\s*$")

Ask = Callable[[str], list[Any]]


def queries() -> list[str]:
    """Every expression; an alert's without its bound, beyond which nothing is when all is well."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    found = [_BOUND.sub("", rule["expr"]) for group in groups for rule in group["rules"]]
    return [*found, *panels()]


def unanswered(ask: Ask) -> list[str]:
    """The queries for which `ask` finds no series with a number."""
    return [query for query in queries() if not any(_number(s) for s in ask(query))]


def prometheus(url: str) -> Ask:
    """Asks the Prometheus at `url`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(query: str) -> list[Any]:
        words = urllib.parse.urlencode({"query": query})
        with opener.open(f"{url}/api/v1/query?{words}", timeout=10) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    return ask


def _number(series: dict[str, Any]) -> bool:
    return series["value"][1] not in ("NaN", "+Inf", "-Inf")


def main() -> int:
    """Prints what finds nothing; returns 1 if there is any."""
    empty = unanswered(prometheus(sys.argv[1].rstrip("/")))
    for query in empty:
        print(f"no data: {query}")
    print(f"{len(queries()) - len(empty)} of {len(queries())} queries find data")
    return 1 if empty else 0


if __name__ == "__main__":
    raise SystemExit(main())

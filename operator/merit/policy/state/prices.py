"""What a replica costs per hour: requests times a price book, in decimals, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(
    r"^(\+?[0-9]{1,20}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})([eE][+-]?[0-9]{1,2}|[a-zA-Z]{0,2})$"
)
_UNITS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** i for i, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** i for i, unit in enumerate("KMGTPE", 1)},
}
_GIB = Decimal(1024) ** 3


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices per hour, of one currency: a core, a GiB of memory, one of each extended resource."""

    currency: str
    cpu_hour: Decimal
    memory_gib_hour: Decimal
    resources: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why there is no price: never 0. `reason`: NoRequests or NoPrice."""

    reason: str
    message: str


def parse_quantity(text: object) -> Decimal:
    """A quantity of Kubernetes: `250m`, `1.5`, `2Gi`, `1e3`. Raises ValueError."""
    match = _QUANTITY.match(text if isinstance(text, str) else str(text))
    if match is None or isinstance(text, bool):
        raise ValueError(f"{str(text)[:32]!r} is not a quantity such as 250m or 2Gi")
    digits, unit = match.groups()
    if len(unit) > 1 and unit[0] in "eE" and unit[1] in "+-0123456789":
        return Decimal(digits) * Decimal(10) ** int(unit[1:])
    if unit not in _UNITS:
        raise ValueError(f"{unit!r} is not a unit of quantities")
    return Decimal(digits) * _UNITS[unit]


def unit_price(pod_template: Mapping[str, Any], book: PriceBook) -> Decimal | Unpriced:
    """Price of one replica per hour from the pod's *requests*.

    Containers and restartable init containers add up; of the others the largest counts if it is
    larger than the sum, resource by resource, as the scheduler reserves; pod overhead comes on top.
    """
    spec = mapping(pod_template.get("spec"))
    running: dict[str, Decimal] = {}
    first: dict[str, Decimal] = {}
    try:
        for container in objects_in(spec, "initContainers"):
            needs = _requests(container)
            if container.get("restartPolicy") == "Always":
                running = _sum(running, needs)
                needs = {}
            first = _largest(first, _sum(running, needs))
        for container in objects_in(spec, "containers"):
            running = _sum(running, _requests(container))
        overhead = {k: parse_quantity(v) for k, v in mapping(spec.get("overhead")).items()}
    except _NoRequests as missing:
        return Unpriced(
            "NoRequests",
            f"container {missing} requests no cpu or no memory, so its cost is unknown; "
            "set resources.requests.cpu and resources.requests.memory",
        )
    except ValueError as error:
        return Unpriced("NoRequests", f"resources.requests: {error}")
    if not running:
        return Unpriced("NoRequests", "the pod template has no containers")
    total = Decimal(0)
    for resource, amount in _sum(_largest(first, running), overhead).items():
        if resource == "cpu":
            total += amount * book.cpu_hour
        elif resource == "memory":
            total += amount / _GIB * book.memory_gib_hour
        elif resource in book.resources:
            total += amount * book.resources[resource]
        elif resource != "ephemeral-storage" and not resource.startswith("hugepages-"):
            return Unpriced("NoPrice", f"the price book has no price for {resource[:64]}")
    return total


class _NoRequests(Exception):
    """Names the container that requests nothing."""


def mapping(value: object) -> Mapping[str, Any]:
    """The value, if it is an object; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects_in(spec: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of the list of that name, such as `containers`; none if it is no list."""
    listed = spec.get(key)
    return [mapping(item) for item in listed] if isinstance(listed, list) else []


def _requests(container: Mapping[str, Any]) -> dict[str, Decimal]:
    resources = mapping(container.get("resources"))
    # The API server does the same: a limit without a request is also the request.
    raw = {**mapping(resources.get("limits")), **mapping(resources.get("requests"))}
    if "cpu" not in raw or "memory" not in raw:
        raise _NoRequests(str(container.get("name", "without a name"))[:64])
    return {name: parse_quantity(amount) for name, amount in raw.items()}


def _sum(a: Mapping[str, Decimal], b: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {k: a.get(k, Decimal(0)) + b.get(k, Decimal(0)) for k in {**a, **b}}


def _largest(a: Mapping[str, Decimal], b: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {k: max(a.get(k, Decimal(0)), b.get(k, Decimal(0))) for k in {**a, **b}}

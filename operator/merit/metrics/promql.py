"""The few pieces of PromQL that queries are made of: closed templates, quoted values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def matcher(labels: Mapping[str, str]) -> str:
    """`a="b",c="d"` with values quoted."""
    return ",".join(f'{name}="{quoted(value)}"' for name, value in sorted(labels.items()))


def quoted(text: str) -> str:
    """For use between double quotes of PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def joined(parts: Iterable[str]) -> str:
    """Matchers as one selector's inside; empty ones are left out."""
    return ",".join(part for part in parts if part)

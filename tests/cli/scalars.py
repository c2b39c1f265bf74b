"""Scalars without quotes, as people write them in manifests: numbers, versions, words."""

from __future__ import annotations

from pathlib import Path

SCALARS = (Path(__file__).parent / "cases" / "scalars.txt").read_text().split()

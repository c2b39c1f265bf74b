"""The imports between the folders of a package: `python -m docs.structure [DIRECTORY]`.

Prints every folder with its lines, how many module-to-module imports lead to which other folder,
the mutual pairs and the circles. With import-linter's layers (pyproject.toml) it counts the imports
that lead upward. DIRECTORY: a package inside operator/merit (default: operator/merit/policy).
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT / "operator/merit/policy"


def folder_imports(directory: Path) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Lines per folder, and imports per pair of folders. A file of its own is its own folder."""
    package = ".".join(directory.parts[directory.parts.index("merit") :])
    lines: Counter[str] = Counter()
    arrows: Counter[tuple[str, str]] = Counter()
    for file in sorted(directory.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        here = _folder(file.relative_to(directory).with_suffix("").parts)
        lines[here] += len(source.splitlines())
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                there = _folder(tuple(str(node.module)[len(package) + 1 :].split(".")))
                if there != here:
                    arrows[here, there] += 1
    return lines, arrows


def _folder(parts: tuple[str, ...]) -> str:
    return parts[0]


def circles(arrows: Counter[tuple[str, str]]) -> list[list[str]]:
    """The sets of folders that reach each other (strongly connected components)."""
    reach: dict[str, set[str]] = defaultdict(set)
    for here, there in arrows:
        reach[here].add(there)
    changed = True
    while changed:
        grown = {a: bs | {c for b in bs for c in reach.get(b, ())} for a, bs in reach.items()}
        changed = any(grown[a] != reach[a] for a in grown)
        reach.update(grown)
    groups = {frozenset({a, *(b for b in bs if a in reach.get(b, ()))}) for a, bs in reach.items()}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def layers() -> dict[str, int]:
    """The height of each folder of policy, from import-linter's contract; 0 is the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for contract in contracts["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == ["merit.policy"]:
            return {
                name.strip(): height
                for height, layer in enumerate(contract["layers"])
                for name in layer.split("|")
            }
    return {}


def main(argv: list[str]) -> None:
    """Print the picture of one package."""
    directory = Path(argv[0]).resolve() if argv else DEFAULT
    lines, arrows = folder_imports(directory)
    height = layers()
    upward = sum(n for (a, b), n in arrows.items() if height.get(a, 0) > height.get(b, 99))
    mutual = sorted((a, b) for a, b in arrows if a < b and (b, a) in arrows)
    for name in sorted(lines, key=lambda each: (height.get(each, 0), each)):
        to = ", ".join(f"{b} {n}" for (a, b), n in sorted(arrows.items()) if a == name)
        print(f"{name:14} {lines[name]:5} lines  -> {to or 'nothing'}")
    print(f"{len(lines)} folders, {len(arrows)} pairs, {sum(arrows.values())} imports between them")
    print(f"{len(mutual)} mutual pairs {mutual or ''}; {upward} imports upward")
    print(f"circles: {circles(arrows) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])

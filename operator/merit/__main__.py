"""The command line: `merit COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import merit
from merit.cli import crd, operator, presets, report, simulate, validate

COMMANDS = (operator, crd, report, validate, simulate, presets)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code; a wrong command line raises SystemExit(2)."""
    arguments = parser().parse_args(argv)
    code: int = arguments.run(arguments)
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of the command line, with every command."""
    root = argparse.ArgumentParser(prog="merit", description="Models serve on merit.")
    root.add_argument("--version", action="version", version=f"merit {merit.__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return root


if __name__ == "__main__":
    sys.exit(main())

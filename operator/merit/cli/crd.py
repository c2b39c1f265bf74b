"""`merit crd`: prints the CustomResourceDefinition."""

from __future__ import annotations

import argparse
import sys

from merit.cli.command import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("crd", help="print the CustomResourceDefinition")
    command.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print it. Returns 0."""
    from merit.api.crd import crd_yaml

    sys.stdout.write(crd_yaml())
    return 0

"""`merit crd`: the CustomResourceDefinition, generated from the models."""

from __future__ import annotations

import argparse
import sys

from merit.commands.command import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("crd", help="print the CustomResourceDefinition")
    command.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print it. Returns 0."""
    from merit.api.crd import crd_yaml

    sys.stdout.write(crd_yaml())
    return 0

"""Merit: models serve on merit. They earn each share of traffic with evidence, and lose it when the evidence turns."""

__version__ = "0.1.0"

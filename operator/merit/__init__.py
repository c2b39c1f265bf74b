"""Models serve on merit: they earn each share of traffic with evidence, and may lose it."""

__version__ = "0.1.0"

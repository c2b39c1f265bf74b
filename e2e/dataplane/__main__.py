"""`python -m e2e.dataplane apply --kubeconfig FILE`: brings the data plane up and waits for it."""

from __future__ import annotations

import argparse
import sys

from e2e.cluster.build import component
from e2e.cluster.paths import ClusterError
from e2e.dataplane.apply import apply


def main() -> int:
    """Returns 1, with one sentence on stderr, when the data plane does not get ready."""
    parser = argparse.ArgumentParser(prog="python -m e2e.dataplane", description=__doc__)
    parser.add_argument("verb", choices=["apply"])
    parser.add_argument("--kubeconfig", help="default: what kubectl finds by itself")
    parser.add_argument("--kubectl", help="default: the one of the bundled cluster")
    asked = parser.parse_args()
    try:
        command = [asked.kubectl or str(component("kubectl"))]
        if asked.kubeconfig:
            command += ["--kubeconfig", asked.kubeconfig]
        apply(command)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


raise SystemExit(main())

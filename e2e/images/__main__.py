"""`python -m e2e.images build [names…]`: builds images, prints reference and archive of each."""

from __future__ import annotations

import argparse
import sys

from e2e.cluster.paths import ClusterError
from e2e.images.build import image, names


def main() -> int:
    """Returns 1, with one sentence on stderr, when an image cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m e2e.images", description=__doc__)
    parser.add_argument("verb", choices=["build"])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(names())}")
    asked = parser.parse_args()
    try:
        for name in asked.names or names():
            ref, archive = image(name)
            print(ref, archive)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


raise SystemExit(main())

"""Images of the local cluster: OCI archives that containerd imports, no registry in between."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from e2e.cluster import build, debs, node
from e2e.cluster.config import PAUSE
from e2e.cluster.names import Names
from e2e.cluster.paths import ClusterError, cache_root
from e2e.images import oci


def references(archive: Path) -> dict[str, str]:
    """The names under which `archive` will be known, each with its manifest's digest.

    Raises ClusterError when it is no OCI archive that carries its names.
    """
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile("index.json")
            index = json.load(member) if member else {}
    except (OSError, KeyError, tarfile.TarError, ValueError) as error:
        raise ClusterError(f"{archive} is no OCI image archive: {error}") from error
    found = {}
    for manifest in index.get("manifests", []):
        name = manifest.get("annotations", {}).get("io.containerd.image.name")
        if name:
            found[name] = manifest["digest"]
    if not found:
        raise ClusterError(f"{archive} names no image (annotation io.containerd.image.name)")
    return found


def load(names: Names, archive: Path) -> bool:
    """Import `archive` into the node; False if just these images were there already."""
    wanted = references(archive)
    present = {}
    for line in _ctr(names, "images", "ls").splitlines()[1:]:
        reference, _, digest, *_ = line.split()
        present[reference] = digest
    if wanted.items() <= present.items():
        return False
    _ctr(names, "images", "import", str(archive.absolute()))
    return True


def runtime_answers(names: Names) -> bool:
    """Whether containerd serves its socket yet."""
    return not subprocess.run([*_client(names), "version"], capture_output=True).returncode


def pause() -> Path:
    """The archive of the pause image, written if the cache does not have it."""
    program = build.binary("pause")
    archive = cache_root() / "images" / f"{program.name}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            root, layer, image = (Path(scratch, name) for name in ("root", "layer", "image"))
            root.mkdir()
            shutil.copy(program, root / "pause")
            oci.write_layer(root, layer)
            oci.write_image(image, [PAUSE], [layer], oci.Config(entrypoint=("/pause",)))
            image.rename(archive)
    return archive


def _client(names: Names) -> list[str]:
    ctr = debs.package("containerd") / "usr/bin/ctr"
    return [*node.enter(names), str(ctr), "--namespace", "k8s.io"]


def _ctr(names: Names, *arguments: str) -> str:
    done = subprocess.run([*_client(names), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"ctr {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout

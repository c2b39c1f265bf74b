"""OCI images as one tar each, without Docker and without a registry.

An image here is an `OCI image layout <https://github.com/opencontainers/image-spec>`_ in a tar that
containerd imports. Layers are left uncompressed: they are read once, on the machine that wrote
them, and compressing costs more than it saves. The same directory gives the same digest on every
run: entries are sorted, owners are numbers, and every time is `EPOCH`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600"))  # 2026-01-01T00:00:00Z

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What runs in the image, in the words of the OCI configuration."""

    entrypoint: tuple[str, ...]
    user: str = "65532:65532"
    env: tuple[str, ...] = ("PATH=/usr/local/bin:/usr/bin:/bin",)
    workdir: str = "/"
    ports: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def write_layer(root: Path, layer: Path) -> None:
    """Writes the tree below `root` as a layer; links stay links, hard links become copies."""
    partial = layer.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
        for directory, names, files in os.walk(root):
            names.sort()
            links = [name for name in names if (Path(directory) / name).is_symlink()]
            for name in sorted([*names, *files]):
                path = Path(directory) / name
                info = tar.gettarinfo(path, arcname=str(path.relative_to(root)))
                if info.islnk():  # which of two names comes first would depend on the disk
                    info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                info.mtime = EPOCH
                if info.isreg():
                    with path.open("rb") as content:
                        tar.addfile(info, content)
                else:
                    tar.addfile(info)
            names[:] = [name for name in names if name not in links]
    partial.replace(layer)


def write_image(target: Path, refs: Sequence[str], layers: Sequence[Path], config: Config) -> str:
    """Writes the image to `target` under every name of `refs`; returns the manifest's digest."""
    digests = [_digest_of(layer) for layer in layers]
    config_blob = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": list(config.entrypoint),
                "User": config.user,
                "Env": list(config.env),
                "WorkingDir": config.workdir,
                "ExposedPorts": {f"{port}/tcp": {} for port in config.ports},
                "Labels": config.labels,
            },
            "rootfs": {"type": "layers", "diff_ids": digests},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, _digest(config_blob), len(config_blob)),
            "layers": [
                _descriptor(_LAYER, digest, layer.stat().st_size)
                for digest, layer in zip(digests, layers, strict=True)
            ],
        }
    )
    digest = _digest(manifest)
    index = _json(
        {
            "schemaVersion": 2,
            "manifests": [
                _descriptor(_MANIFEST, digest, len(manifest))
                | {
                    "platform": {"architecture": "amd64", "os": "linux"},
                    "annotations": {
                        "io.containerd.image.name": ref,
                        "org.opencontainers.image.ref.name": ref.rpartition(":")[2],
                    },
                }
                for ref in refs
            ],
        }
    )
    blobs = dict(zip(digests, layers, strict=True))
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", index)
        _add(tar, _blob(digest), manifest)
        _add(tar, _blob(_digest(config_blob)), config_blob)
        for name, layer in sorted(blobs.items()):
            info = _info(_blob(name), layer.stat().st_size)
            with layer.open("rb") as content:
                tar.addfile(info, content)
    partial.replace(target)
    return digest


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _digest_of(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            found.update(chunk)
    return "sha256:" + found.hexdigest()


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, EPOCH, 0o644
    return info


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_info(name, len(content)), io.BytesIO(content))

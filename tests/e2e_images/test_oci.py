import hashlib
import json
import os
import tarfile
from pathlib import Path

from e2e.images import oci

CONFIG = oci.Config(entrypoint=("/bin/it",), env=("A=b",), ports=(8080,))


def tree(root: Path, *, order: str) -> Path:
    """The same content, written in another order and at another time."""
    for name in order:
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text(name)
        os.utime(root / name / "file", (ord(order[0]), ord(order[0])))
    (root / "link").symlink_to("a/file")
    (root / "directory").symlink_to("a")
    os.link(root / "a/file", root / "b/hard")
    (root / "a/file").chmod(0o755)
    return root


def archive(directory: Path, *, order: str) -> tuple[str, Path]:
    directory.mkdir()
    oci.write_layer(tree(directory / "root", order=order), directory / "layer.tar")
    target = directory / "image.tar"
    refs = ["registry.local/merit/it:dev", "registry.local/merit/it:1"]
    return oci.write_image(target, refs, [directory / "layer.tar"], CONFIG), target


def test_the_same_content_gives_the_same_digest_and_the_same_bytes(tmp_path: Path) -> None:
    first, one = archive(tmp_path / "one", order="abc")
    second, two = archive(tmp_path / "two", order="cab")
    assert first == second
    assert one.read_bytes() == two.read_bytes()


def test_other_content_gives_another_digest(tmp_path: Path) -> None:
    first, _ = archive(tmp_path / "one", order="ab")
    second, _ = archive(tmp_path / "two", order="abc")
    assert first != second


def test_links_stay_links_and_hard_links_become_files(tmp_path: Path) -> None:
    archive(tmp_path / "one", order="ab")
    with tarfile.open(tmp_path / "one/layer.tar") as layer:
        kinds = {member.name: member for member in layer}
        assert kinds["link"].issym() and kinds["link"].linkname == "a/file"
        assert kinds["directory"].issym()
        assert "directory/file" not in kinds
        assert kinds["a/file"].isreg() and kinds["b/hard"].isreg()
        assert kinds["a/file"].mode == 0o755
        assert {(member.uid, member.gid, member.mtime) for member in layer} == {(0, 0, oci.EPOCH)}


def test_every_blob_is_named_by_its_content_and_every_reference_is_there(tmp_path: Path) -> None:
    digest, target = archive(tmp_path / "one", order="ab")
    with tarfile.open(target) as image:
        content = {m.name: image.extractfile(m).read() for m in image}  # type: ignore[union-attr]
    for name, blob in content.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}"
    manifests = json.loads(content["index.json"])["manifests"]
    assert [m["annotations"]["io.containerd.image.name"] for m in manifests] == [
        "registry.local/merit/it:dev",
        "registry.local/merit/it:1",
    ]
    assert {m["digest"] for m in manifests} == {digest}
    manifest = json.loads(content["blobs/" + digest.replace(":", "/")])
    config = json.loads(content["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert config["config"]["User"] == "65532:65532"
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]

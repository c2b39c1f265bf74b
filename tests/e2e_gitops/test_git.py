"""The repository of the cluster, served by git itself: who may read, who may push, what changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.gitops.declare import declare, rewritten
from e2e.gitops.git import GitError, clone, git
from e2e.gitops.server import Server, found

PROJECT = Path(__file__).resolve().parents[2]
GOOD = (PROJECT / "examples" / "good.yaml").read_text()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """`127.0.0.1:PORT/models.git`, with the first example in it."""
    for folder in ("home", "seed", "accounts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "seed" / "fraud.yaml").write_text(GOOD)
    for name, word in (("reader", "ro"), ("trainer", "rw")):
        (tmp_path / "accounts" / name).write_text(word)
    found(tmp_path / "home", tmp_path / "seed")
    server = Server(("127.0.0.1", 0), tmp_path / "home", tmp_path / "accounts", ["trainer"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_port}/models.git"
    server.shutdown()
    thread.join()
    server.server_close()


def committed(at: str, version: str, who: str = "trainer:rw") -> str:
    return declare(
        f"http://{who}@{at}",
        "fraud.yaml",
        version=version,
        uri="data:application/json;base64,WzFd",
        author="trainer",
        message=f"fraud: {version}",
    )


def test_a_training_commits_two_lines_with_its_own_account(served: str, tmp_path: Path) -> None:
    made = committed(served, "good-r1")
    tree = tmp_path / "tree"
    clone(f"http://reader:ro@{served}", tree)
    assert git("rev-parse", "HEAD", at=tree).strip() == made
    before, after = GOOD.splitlines(), (tree / "fraud.yaml").read_text().splitlines()
    changed = [(a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b]
    assert changed == [
        ("version: good", 'version: "good-r1"'),
        ("uri: bundle://fraud/good", 'uri: "data:application/json;base64,WzFd"'),
    ]
    assert git("log", "-1", "--format=%an %s", at=tree) == "trainer fraud: good-r1\n"


def test_who_may_only_read_cannot_push_and_strangers_cannot_even_read(
    served: str, tmp_path: Path
) -> None:
    with pytest.raises(GitError, match="403"):
        committed(served, "good-r2", who="reader:ro")
    for number, who in enumerate(("nobody:x", "trainer:wrong", "..%2Fhome:x", "")):
        with pytest.raises(GitError, match=r"Authentication failed|terminal prompts disabled"):
            clone(f"http://{who}@{served}" if who else f"http://{served}", tmp_path / str(number))


def test_an_error_tells_no_password(served: str, tmp_path: Path) -> None:
    with pytest.raises(GitError) as found:
        clone(f"http://trainer:s3cret@{served}", tmp_path / "tree")
    assert "s3cret" not in str(found.value)


def test_a_manifest_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="model"):
        rewritten("spec:\n  goal: {}\n", version="a", uri="b:c")

"""Each missing thing is one sentence with its remedy."""

from dataclasses import replace

import pytest

from e2e.cluster.requirements import Facts, sentences

GOOD = Facts(
    system="Linux x86_64",
    root=True,
    absent=frozenset(),
    disk=50,
    memory=8,
    namespaces=True,
    veth=True,
    overlay=True,
    cgroups=frozenset({"cpu", "cpuset", "memory", "pids", "io"}),
)


def test_a_good_machine_lacks_nothing() -> None:
    assert sentences(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": "Darwin arm64"}, ["Darwin arm64", "CLUSTER=current"]),
        ({"root": False}, ["root", "sudo"]),
        ({"absent": frozenset({"ip"})}, ["program ip", "iproute2"]),
        ({"absent": frozenset({"apt-get"})}, ["apt-get", "Debian 12"]),
        ({"namespaces": False, "veth": False}, ["namespaces", "privileged"]),
        ({"veth": False}, ["veth", "modprobe"]),
        ({"overlay": False}, ["overlay", "modprobe"]),
        ({"cgroups": frozenset({"cpu", "cpuset", "pids"})}, ["for memory", "/sys/fs/cgroup"]),
        ({"disk": 1.25}, ["1.2 GiB of disk", "6"]),
        ({"memory": 0.5}, ["0.5 GiB of memory", "3"]),
    ],
)
def test_a_missing_thing_is_one_sentence_with_its_remedy(
    change: dict[str, object], words: list[str]
) -> None:
    (sentence,) = sentences(replace(GOOD, **change))
    assert all(word in sentence for word in words)
    assert sentence.endswith(".")


def test_several_missing_things_are_all_named() -> None:
    assert len(sentences(replace(GOOD, disk=1, memory=1, overlay=False))) == 3

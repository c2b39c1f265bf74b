"""Certificates, mirrors and providers: the parts that need no cluster."""

from pathlib import Path

import pytest
import yaml
from cryptography import x509

from e2e.cluster import debs, images, pki, provider
from e2e.cluster.daemon import Daemon
from e2e.cluster.local import LocalCluster
from e2e.cluster.paths import ClusterError


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_api_server_answers_to_its_service_name_and_all_its_addresses(tmp_path: Path) -> None:
    pki.ensure(tmp_path / "pki", pki.leaves("node1", "10.251.1.2", "10.252.1.1"))
    made = _certificate(tmp_path / "pki" / "apiserver.crt")
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.251.1.2", "10.252.1.1"}


def test_the_kubelet_is_a_node_and_the_front_proxy_has_its_own_authority(tmp_path: Path) -> None:
    pki.ensure(tmp_path / "pki", pki.leaves("node1", "10.251.1.2", "10.252.1.1"))
    kubelet = _certificate(tmp_path / "pki" / "kubelet.crt")
    assert kubelet.subject.rfc4514_string() == "CN=system:node:node1,O=system:nodes"
    proxy = _certificate(tmp_path / "pki" / "front-proxy-client.crt")
    proxy.verify_directly_issued_by(_certificate(tmp_path / "pki" / "front-proxy-ca.crt"))


def test_certificates_are_made_once_and_unreadable_to_others(tmp_path: Path) -> None:
    directory, leaf = tmp_path / "pki", pki.Leaf("admin", "local-admin", "system:masters")
    pki.ensure(directory, [leaf])
    before = (directory / "admin.crt").read_bytes()
    pki.ensure(directory, [leaf])
    assert (directory / "admin.crt").read_bytes() == before
    assert (directory / "admin.key").stat().st_mode & 0o077 == 0


def test_a_kubeconfig_names_a_server_a_user_and_a_current_context(tmp_path: Path) -> None:
    path = pki.write_kubeconfig(tmp_path / "k", "https://h:1", tmp_path / "ca", {"token": "t"})
    config = yaml.safe_load(path.read_text())
    assert config["current-context"] == config["contexts"][0]["name"]
    assert config["clusters"][0]["cluster"]["server"] == "https://h:1"


def test_the_mirror_is_the_release_itself_and_not_its_updates() -> None:
    lines = [
        "http://m/security|bookworm-security|main|$(SIGNED_BY)",
        "http://m/debian|bookworm-updates|main|/k.gpg",
        "http://m/debian|bookworm|contrib|/k.gpg",
        "http://m/debian|bookworm|main|/k.gpg",
    ]
    wanted = debs.Mirror("http://m/debian", "bookworm", "/k.gpg")
    assert debs.choose_mirror(lines, "bookworm") == wanted


def test_a_mirror_without_a_key_of_its_own_is_checked_against_debians() -> None:
    found = debs.choose_mirror(["http://m/debian|bookworm|main|$(SIGNED_BY)"], "bookworm")
    assert found.signed_by == debs.KEYRING


def test_a_machine_without_a_source_for_its_release_is_told_so() -> None:
    with pytest.raises(ClusterError, match="trixie"):
        debs.choose_mirror([], "trixie")


def test_the_newest_c_library_version_of_a_program_is_compared_as_a_number(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0")
    assert debs.glibc_needed(program) == (2, 34)


def test_the_local_cluster_is_the_default_and_has_a_number() -> None:
    assert isinstance(chosen := provider.chosen({}), LocalCluster) and chosen.names.n == 1
    assert isinstance(chosen := provider.chosen({"MERIT_N": "4"}), LocalCluster)
    assert chosen.names.n == 4


def test_an_unknown_kind_of_cluster_is_refused_by_name() -> None:
    with pytest.raises(ClusterError, match="'moon'"):
        provider.chosen({"CLUSTER": "moon"})


def test_the_current_context_asks_for_a_registry_before_it_takes_images() -> None:
    with pytest.raises(ClusterError, match="REGISTRY"):
        provider.chosen({"CLUSTER": "current"}).load_images([Path("image.tar")])


def test_a_file_that_is_no_image_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no tar")
    with pytest.raises(ClusterError, match="no OCI image archive"):
        images.references(tmp_path / "x.tar")


def test_a_process_is_started_once_and_ended_by_its_own_pid(tmp_path: Path) -> None:
    daemon = Daemon("sleeper", tmp_path, tmp_path)
    assert daemon.start(["sleep", "600"])
    assert not daemon.start(["sleep", "600"])
    daemon.stop()
    assert daemon.pid() == 0


def test_a_recycled_pid_is_not_mistaken_for_the_process(tmp_path: Path) -> None:
    (tmp_path / "other.pid").write_text("1 999999999999")
    assert Daemon("other", tmp_path, tmp_path).pid() == 0


def test_a_process_that_dies_while_awaited_shows_the_end_of_its_log(tmp_path: Path) -> None:
    daemon = Daemon("broken", tmp_path, tmp_path)
    daemon.start(["sh", "-c", "echo no such flag; exit 2"])
    with pytest.raises(ClusterError, match="no such flag"):
        daemon.wait(lambda: False, seconds=10)

"""The certificates and keys of one cluster, made once and kept with its state."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=3650)
USAGES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One certificate: who it is, what for, and under which names it may be met."""

    file: str
    name: str
    group: str = ""
    usages: tuple[str, ...] = ("client",)
    names: tuple[str, ...] = ()
    authority: str = "ca"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that is still in memory, so that it can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def leaves(node: str, address: str, service: str) -> tuple[Leaf, ...]:
    """Every certificate of a one-node cluster whose node is `node` at `address`."""
    both = ("server", "client")
    api = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    api += ["kubernetes.default.svc.cluster.local", "localhost", "127.0.0.1"]
    kubelet, nodes, masters = f"system:node:{node}", "system:nodes", "system:masters"
    return (
        Leaf("apiserver", "kube-apiserver", "", both, (*api, node, address, service)),
        Leaf("apiserver-kubelet-client", "kube-apiserver", masters),
        Leaf("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        Leaf("kubelet-server", kubelet, nodes, both, (node, address, "127.0.0.1")),
        Leaf("admin", "local-admin", masters),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("kube-proxy", "system:kube-proxy"),
        Leaf("coredns", "system:coredns"),
        Leaf("kubelet", kubelet, nodes),
    )


def ensure(directory: Path, wanted: Sequence[Leaf]) -> None:
    """Make what `directory` lacks; a finished one (it has a file DONE) is left as it is."""
    if (directory / "DONE").exists():
        return
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authorities = {name: _authority(name) for name in {"ca", *(leaf.authority for leaf in wanted)}}
    for name, authority in authorities.items():
        _write(directory / f"{name}.crt", _pem(authority.certificate))
        _write(directory / f"{name}.key", _private(authority.key))
    for leaf in wanted:
        certificate, key = _issue(leaf, authorities[leaf.authority])
        _write(directory / f"{leaf.file}.crt", _pem(certificate))
        _write(directory / f"{leaf.file}.key", _private(key))
    service_accounts = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(directory / "sa.key", _private(service_accounts))
    _write(
        directory / "sa.pub",
        service_accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    (directory / "DONE").touch()


def write_kubeconfig(path: Path, server: str, ca: Path, user: dict[str, str]) -> Path:
    """A kubeconfig that embeds nothing: `user` is a token, or paths of certificate and key."""
    name = "merit"
    cluster = {"server": server, "certificate-authority": str(ca)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    _write(path, yaml.safe_dump(config).encode())
    return path


def certificate_user(directory: Path, file: str) -> dict[str, str]:
    """The `user` of a kubeconfig that presents the certificate `file`."""
    return {
        "client-certificate": str(directory / f"{file}.crt"),
        "client-key": str(directory / f"{file}.key"),
    }


def _authority(name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name, "")
    builder = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def _issue(leaf: Leaf, by: Authority) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    usages = x509.ExtendedKeyUsage([USAGES[usage] for usage in leaf.usages])
    builder = (
        _builder(_subject(leaf.name, leaf.group), by.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(usages, critical=False)
        .add_extension(identifier, critical=False)
    )
    if leaf.names:
        names = x509.SubjectAlternativeName([_alternative(name) for name in leaf.names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(by.key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    # An hour back, for a virtual machine whose clock is set while this runs.
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
    )


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str, group: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)

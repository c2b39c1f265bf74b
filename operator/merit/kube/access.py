"""How to reach the cluster: the same answer for the client that writes and for kopf's watches."""

from __future__ import annotations

import os
from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

from merit.kube.errors import Unreachable

TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def in_cluster() -> bool:
    """Whether this process is a pod and KUBECONFIG is not set."""
    return not os.environ.get("KUBECONFIG") and TOKEN.exists()


async def access() -> Configuration:
    """From KUBECONFIG if it is set, else from the service account of this pod.

    The library reads the account's token again every minute. Unreachable if there is neither.
    """
    settings = Configuration()
    try:
        if in_cluster():
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            # The file is named, because the library reads the environment only when imported.
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=os.environ.get("KUBECONFIG") or "~/.kube/config",
                client_configuration=settings,
            )
    except config.ConfigException as error:
        raise Unreachable(0, "NoAccess", f"no access to a cluster: {error}") from error
    return settings

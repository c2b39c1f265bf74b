"""The bundled local cluster: a real one-node Kubernetes without Docker or a registry."""

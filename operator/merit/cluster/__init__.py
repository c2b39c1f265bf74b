"""Kubernetes: watches, cache, work queue, writes, lease, Events. All I/O with the API server is here."""

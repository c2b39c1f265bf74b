"""Kubernetes: watches, informer cache, work queue, API client, Lease, Events.

The only package that imports `kubernetes` and `kopf`. Here: how to read and write objects safely,
and when each ModelDeployment is reconciled. Not here: what to write (`policy`, `objects`).
"""

"""The operator process: its loops, the Lease, health endpoints, its own metrics, logs.

`assembly` builds the parts, `app` runs them, `exporter` is the only place that uses
prometheus_client. Not here: work on a single object (`reconciler`).
"""

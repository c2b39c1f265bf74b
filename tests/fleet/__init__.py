"""Many real ModelDeployments, the shipped operator as a process, and a real Prometheus beside it.

The API server is real and has no nodes: actors.py stands in for the controllers and kubelets of all
objects, and one exporter serves what a gateway and all model servers would export.
"""

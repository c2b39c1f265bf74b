"""The data plane of the demo: Gateway API, Contour with Envoy, Prometheus and Alertmanager."""

"""What must hold with real pods, a real gateway and a real Prometheus: `make e2e`."""

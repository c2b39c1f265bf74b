"""An in-memory Kubernetes with actors, traffic and a virtual clock: every crash can be tried."""

"""Real servers of the data plane, as processes on loopback: for tests and checks without a node."""

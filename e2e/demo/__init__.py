"""The demo: a real cluster, real models, and what Merit decides about each of them."""

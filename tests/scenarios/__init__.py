"""The whole operator in the in-memory Kubernetes of tests/world: what users do, and what follows.

Here are the tests; scripts/ has the steps and scripts that they share.
"""

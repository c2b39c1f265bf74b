"""Renders the Kubernetes objects of a ModelDeployment as plain dicts. Pure.

Not here: writing them to the API server (`reconciler.effects`), and routes (`traffic`).
"""

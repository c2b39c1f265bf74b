"""Prometheus: one query per metric for the whole fleet, and presets that name the metrics.

The only package that imports `prometheus_api_client`. Not here: any verdict on what was read.
"""

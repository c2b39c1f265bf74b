"""Prometheus: one query per metric for the whole fleet, turned into counts per revision."""

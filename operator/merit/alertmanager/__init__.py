"""Alertmanager: alerts are sent, repeated and resolved; nothing waits for it.

Not here: which alerts there are (`policy.report`).
"""

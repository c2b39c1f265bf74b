"""Signals without request counts: cost, thresholds of users' queries, drift.

Here: what a signal says now. Not here: what is done about it (`rollout`, `live`).
"""

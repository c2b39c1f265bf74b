"""What serves, for as long as it serves: alarm, comparison with its predecessor, retraining.

Here: every rule about the stable revision. Not here: a candidate (`rollout`).
"""

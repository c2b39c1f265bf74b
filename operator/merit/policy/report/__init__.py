"""What people and tools read: conditions, phase, summary, next step, alerts, gauges.

Everything here is a view of one named state. Nothing decides on it.
"""

"""The load test of the feasibility gate: plan, generator and report.

Runs as `python -m merit.loadtest` in an image that has no packages installed, so nothing outside
the standard library and `stats.bounds` is imported. Not here: the verdict on a report
(`policy.gates.feasibility`), and the Job that runs it (`objects.load_job`).
"""

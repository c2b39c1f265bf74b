"""Statistics: sequential tests, drift, dispersion, exact bounds. Pure, and ignorant of Kubernetes.

Here: numbers in, numbers and a sentence out; each module cites its source, and
docs/concepts/statistics.md has the list. Not here: what is done about a result (see `policy`).
"""

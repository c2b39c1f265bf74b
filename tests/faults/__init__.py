"""The whole operator process is hurt on a real API server: crashes, lost answers, stale views.

proxy.py stands between the process and the API server (and Prometheus) and does the hurting;
moments.py names the writes at which it can be done, and faults.py what is done there; scenarios.py
has the rollouts; monitor.py judges from the API server's own watch. `python -m tests.faults` runs
everything that there is and prints a table.
"""

"""An in-memory Kubernetes with a virtual clock, for the scenarios. No test is in here.

world.py      the clock, the operator and the script that it is tested with
store.py      the API server's objects        merge.py, defaults.py   how a write changes them
server.py     the operator's client: numbered writes, faults
actors.py     the other controllers           pods.py, evaluations.py, load_tests.py   what they do
traffic.py    requests and their metrics      manifests.py            what users declare
invariants.py, pod_invariants.py   what must hold after each write
crashes.py    the operator is killed around every write
"""

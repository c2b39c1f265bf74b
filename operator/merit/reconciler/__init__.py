"""One pass over one object: gather, decide, circuit breaker, execute, write status once.

Here: all I/O around `policy.decide`, and what a process remembers between passes. Not here: any
decision (`policy`), and when a pass runs (`kube.workqueue`).
"""

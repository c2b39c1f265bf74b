"""The command line: `merit COMMAND`, one module each, and the kubectl plugin `kubectl merit`.

Not here: what a command computes (`simulate`, `api`, `prometheus`), and the operator (`process`).
"""

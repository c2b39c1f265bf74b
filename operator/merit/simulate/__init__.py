"""Simulates rollouts without a cluster: synthetic traffic, and the operator's own `decide`.

Not here: any rule of a decision (`policy`), and the command line (`cli.simulate`).
"""

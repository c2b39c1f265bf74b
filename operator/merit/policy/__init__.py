"""The decisions: `decide(observed, now)` and the rules that it names in order. Pure.

Imports run one way: state <- signals <- outcomes <- gates <- rollout, live <- requests <- desired
<- report <- decide. Not here: clocks, I/O, randomness, logging.
"""

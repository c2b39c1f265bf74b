"""From what status intends to what must exist: pods, traffic, pin, records, the ledger.

Here: the difference between intent and what is observed, as actions. Not here: any verdict.
"""

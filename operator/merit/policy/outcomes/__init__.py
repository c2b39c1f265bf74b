"""How a revision's rollout ends: promoted, rolled back, withdrawn, or held by a fleet incident.

Here: the status and effects of an ending, a file for each. Not here: when one is due (`rollout`,
`live`, `requests`).
"""

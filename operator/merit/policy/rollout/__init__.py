"""The rollout of a candidate: its weight is raised on proof, held, or taken away.

Here: every rule about a candidate past its gates. A weight rises in `steps` alone, and `raising`
has what forbids it. Not here: the revision that already serves (`live`).
"""

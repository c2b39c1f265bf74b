"""The two gates before traffic, what both share, and the emergency bypass.

`evaluation` asks whether the model is good enough, `feasibility` whether it can be served within
its constraints; `job_run` runs their Jobs, `ending` is how both end. Not here: anything about a
candidate that has traffic (`rollout`).
"""

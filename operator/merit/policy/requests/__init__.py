"""Manual requests by annotation: abort, approve, promote, retry, roll back.

Not here: how an annotation is read and acknowledged (`state.tokens`).
"""

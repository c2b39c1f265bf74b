"""Files of evaluation frameworks, read into numbers: one framework a file, pure.

They run in a throw-away pod beside the user's containers, never in the operator.
"""

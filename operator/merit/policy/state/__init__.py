"""What the rules decide from, what they answer with, and every question that several of them ask.

Here: `Observed`, `Decision`, `Verdict`, how status changes. Not here: any rule.
"""

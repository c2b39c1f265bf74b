"""Gate 1: is it good enough? Report, bars, verdict."""

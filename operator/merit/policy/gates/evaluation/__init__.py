"""Gate 1: is the model good enough? Report, bars, verdict."""

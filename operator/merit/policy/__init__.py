"""The decisions: one file per stage of the flow; decide.py names them in order. Pure."""

"""The decisions: one room per part of the flow; decide.py names them in order. Pure."""

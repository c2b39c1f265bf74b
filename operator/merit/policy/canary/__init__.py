"""The candidate with traffic: evidence raises its weight, holds it, takes it back."""

"""Routers: how shares of traffic become objects."""

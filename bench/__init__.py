"""Measurements that are too long for every test run: the guarantee, and the cost of deciding."""

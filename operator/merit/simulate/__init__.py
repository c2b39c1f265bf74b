"""Rollouts without a cluster: synthetic traffic through the decisions that the operator makes."""

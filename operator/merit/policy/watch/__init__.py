"""What serves, for as long as it serves: alarm, comparison, drift, cost."""

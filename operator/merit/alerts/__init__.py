"""Alertmanager: alarms are sent, refreshed and resolved, and never waited for."""

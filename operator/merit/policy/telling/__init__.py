"""What people and tools are told: status, conditions, alarms, figures, advice."""

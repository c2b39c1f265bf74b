"""What a user may say and what he is told: spec, status, conditions, reasons, names, the CRD. Pure."""

"""What a user may say and what he is told: spec, status, reasons, names, the CRD. Pure."""

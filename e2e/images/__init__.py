"""Images without Docker and without a registry: what they hold, and how they are written."""

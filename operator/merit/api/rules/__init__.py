"""Rules that span fields, or that look where the CRD's schema cannot: into pod templates.

Each rule but those of templates has a twin in CEL (`api.cel`) that the API server checks.
"""

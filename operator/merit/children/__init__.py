"""The objects Merit makes, built as plain dicts. Pure."""

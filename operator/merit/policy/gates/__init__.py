"""What both gates share: runs of a Job, what was passed, the emergency exit."""

"""Files of evaluation frameworks, read into Merit's report. Pure."""

"""Gate 2: can it be served within the constraints? Cost, load, suggestions."""

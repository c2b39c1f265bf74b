"""Gate 2: can it be served within its constraints? Cost, load test, suggestions."""

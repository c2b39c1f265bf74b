"""The load generator: open loop, honest about its own health, a container of its own.

Standard library and the vegeta binary, nothing else: it runs beside pods under test, in an image
without packages. What it counts is judged by the operator, from the report alone.
"""

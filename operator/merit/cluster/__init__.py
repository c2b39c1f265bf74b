"""All I/O with the API server: watches, cache, work queue, writes, lease, Events."""

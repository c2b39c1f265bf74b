"""Everything that needs a real cluster: the cluster itself, images, data plane, demo."""

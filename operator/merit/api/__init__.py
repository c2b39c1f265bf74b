"""What users declare and read: the models of spec and status, reasons, defaults, the CRD. Pure.

Here too: rules across fields, names of objects, hashes. Not here: any decision about a running
model (`policy`), and anything that needs a cluster.
"""

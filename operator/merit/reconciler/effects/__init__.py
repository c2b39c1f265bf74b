"""One module for each kind of write that a decision asks for. Not here: when (`policy`)."""

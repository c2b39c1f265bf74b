"""The command line, one file a command: `add` declares it, `run` carries it out."""

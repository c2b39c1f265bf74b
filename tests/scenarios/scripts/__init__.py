"""What the scenarios play: steps of users and of faults, and the scripts that are made of them."""

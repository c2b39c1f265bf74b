"""The loop: gather one view, decide, carry it out, write status once. Level-triggered."""

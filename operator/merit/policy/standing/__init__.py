"""From what status intends to what must stand: arms, traffic, pin, records."""

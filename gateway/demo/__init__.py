"""The demonstration: real processes on this machine, invented parties, keys made on the spot."""

"""Brama, the XML message gateway in front of customs systems: the walk of a message."""

"""One format into another, and documents for people."""

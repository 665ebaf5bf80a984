"""One verb a file: each step takes a state of gateway.message and returns the next."""

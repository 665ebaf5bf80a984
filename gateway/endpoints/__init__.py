"""The doors: only unwrapping and the way of answering differ."""

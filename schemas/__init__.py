"""Which documents exist, in which edition, valid from when to when, and validating them."""

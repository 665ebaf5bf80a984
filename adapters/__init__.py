"""Customs systems: one folder a system; what is common stands here once."""

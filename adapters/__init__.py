"""Customs systems: one folder a family; what is common to all (profiles, transport, proof, correlation) lives here once."""

"""Handing documents to the endpoints that traders run themselves."""

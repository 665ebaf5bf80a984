"""Durable queues, retry, dead letters."""

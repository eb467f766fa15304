"""Stores of the cache: entries in a database or in memory, reservations in the coordination store."""

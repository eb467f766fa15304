"""Stores of secrets and of their audit trail: in a database or in memory."""

"""Values and rules of secrets: no I/O, no protocol."""

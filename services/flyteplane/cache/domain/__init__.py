"""Values and rules of the cache: no I/O, no protocol."""

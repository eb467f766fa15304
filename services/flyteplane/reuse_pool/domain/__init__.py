"""Values and decisions of the reuse pool: deterministic, with the time as an argument, without I/O or protocols."""

"""Values and decisions of the reuse pool. Deterministic; the time is an argument; nothing here does I/O or knows a protocol."""

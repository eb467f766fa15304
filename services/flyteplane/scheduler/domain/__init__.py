"""Values and pure decisions of the scheduler: no I/O, no protocol, no clock of its own."""

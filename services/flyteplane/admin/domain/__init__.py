"""Values of admin and the decisions that need nothing but values: no I/O, no messages, no clock."""

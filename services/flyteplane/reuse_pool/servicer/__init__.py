"""The reuse pool on the wire: streams and messages on one side, the application on the other."""

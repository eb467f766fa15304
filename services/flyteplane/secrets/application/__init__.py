"""Use cases of secrets and the ports that they need."""

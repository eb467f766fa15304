"""Use cases of admin and the ports that they need."""

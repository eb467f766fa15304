"""Tokens of an OpenID Connect provider: its keys, and what is believed of what it signed."""

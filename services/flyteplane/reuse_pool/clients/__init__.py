"""Other services, as the reuse pool uses them."""

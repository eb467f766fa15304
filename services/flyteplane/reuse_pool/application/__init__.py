"""What the reuse pool does: it relays between scheduler and replicas, and carries out what the domain decides.

The messages of the hot path are handled here as they came off the wire: turning each into a value of our own and back
would cost more than all decisions about it.
"""

"""The reuse pool: warm replicas that execute one attempt after another.

It decides which replica runs an attempt, how many replicas there are and what it means when one of them is lost. It
keeps no execution state of its own: the scheduler owns every attempt, and the pool relays what worker and scheduler
say to each other.
"""

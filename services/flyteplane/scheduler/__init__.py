"""The scheduler: the one authority on execution state.

It takes runs in, admits their actions, has them placed on workers, decides what a failure means, and keeps the event
log of every run. Nobody else writes execution state.
"""

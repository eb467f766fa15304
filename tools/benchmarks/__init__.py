"""The benchmark: starts what it measures, prints a table, and one JSON line for each scenario.

Two things are only ever compared side by side in one run, in turn, because the machines are shared and noisy.
"""

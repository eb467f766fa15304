"""What every layer may use: time, ids, digests, errors and supervised background work.

Nothing here does I/O of its own, knows a protocol or imports a third-party library, so the pure core may depend on it.
"""

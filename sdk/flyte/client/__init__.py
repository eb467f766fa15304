"""How a program reaches the platform: settings, connection, code bundles, submission and deployment.

`import flyte` does not load gRPC; whatever needs it imports it inside the call.
"""

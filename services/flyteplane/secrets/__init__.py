"""The secrets service: values that people write and only attempts read.

A value is encrypted before it is stored, decrypted only to answer `Resolve`, and appears nowhere else: no log line, no
error, no `repr`, no other database. Who was given what, and who was refused, is written down before the answer leaves.
"""

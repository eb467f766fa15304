"""The console: what people see of the platform in a browser.

It is a face and nothing else: each page is drawn from calls to the endpoint of the platform, made with the credential
of the person who looks. It keeps no state but the key that sessions are sealed with, and imports no other service.
"""

"""Who calls, and may they: what stands between clients and every rpc of the platform.

    callers        subjects, roles, scopes, grants; pure
    policies       which role each rpc needs, and how its request says where; one table, what is missing is denied
    decisions      caller, policy and place to yes or no; pure
    interceptor    the place of all this in a server: credentials in, decisions, the audit log out
    oidc           tokens of an identity provider

Where keys and grants are kept is not known here: admin keeps them, and hands in an `Authenticator`.
"""

"""The front of the platform: what people and programs said, kept durably, and handed to the scheduler exactly once in
effect.

admin owns runs as submitted, deployed task versions, projects and the objects that clients upload. It never decides
what happens to a run: phases are the scheduler's, and admin keeps a mirror of them so that lists can be filtered
without asking.

Layers, from the top:

    main          opens the service: database, stores, use cases, servicers
    servicer/     one file for each rpc service; turns messages into domain values and back, and does nothing else
    clients/      the scheduler behind the port that the use cases know
    store/        the tables of `admin.db` behind the ports that the use cases know
    application/  use cases and their ports
    domain/       values and pure decisions
"""

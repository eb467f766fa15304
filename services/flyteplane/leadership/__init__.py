"""Leadership: services of which several processes may carry one, and of which one process leads.

The election is the coordination kit's; here is what a process does with it, in the same way for every such service.
"""

"""Admission: which waiting action runs next, in which resource class, on which cluster. Pure and in memory."""

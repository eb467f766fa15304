"""The launch form: from the stored interface of a task to fields, and from what was posted back to typed values.

Everything here is pure. `schema` turns the JSON Schema of an input into a shape, `showing` turns a value into the texts
that a form holds, `reading` turns such texts into values or into problems, each with the name of the control it is at.
`form` puts the three together for all inputs of a task.
"""

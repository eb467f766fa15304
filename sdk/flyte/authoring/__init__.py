"""What a program is written with: environments, tasks, and calls between them.

Everything here is about saying what is to be run. Who runs it is behind one seam, `Controller`: inside a task a call
goes to the controller of the current context, outside of one it is a plain function call.
"""

"""The tasks, how networks are trained for them, and what was measured."""

"""The tasks, how networks are trained for them, and what was measured."""

import models  # noqa: F401 (which has PyTorch work on one thread)

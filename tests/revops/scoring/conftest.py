"""What needs the library that fits scorecards is run where it is installed: `make test-score`."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("sklearn") else ["test_fit.py", "test_train.py", "test_walk_forward.py"]

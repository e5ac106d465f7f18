"""Start the engine: `python -m perfcli.loadtest.engine FD`, with the plan on stdin."""

from __future__ import annotations

import os
import sys

# Locust takes options from the environment already while it is imported; the plan alone decides.
for _name in [name for name in os.environ if name.startswith("LOCUST_")]:
    del os.environ[_name]

import locust  # noqa: E402, F401 - it replaces parts of the standard library, so it comes before all that use them

from perfcli.loadtest.engine.process import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

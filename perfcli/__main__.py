"""Start the command line: `perfcli`, or `python -m perfcli`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130 even while it is still being imported."""
    try:
        from perfcli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # The process ends: to look through all that scikit-learn has left for garbage would take it a quarter of a second.
        gc.freeze()


if __name__ == "__main__":
    main()

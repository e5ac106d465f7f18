"""Start the command line: `perfcli`, or `python -m perfcli`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130 even while it is still being imported."""
    try:
        from perfcli.cli.streams import open_closed_streams

        open_closed_streams()
        from perfcli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    finally:
        # To look through all that scikit-learn leaves behind for garbage would take a quarter of a second.
        gc.freeze()


if __name__ == "__main__":
    main()

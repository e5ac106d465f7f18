"""Start the command line: `perfcli`, or `python -m perfcli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it with 130 even while it is still being imported."""
    try:
        from perfcli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

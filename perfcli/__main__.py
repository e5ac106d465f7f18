"""Run the command line with `python -m perfcli`."""

from perfcli.cli.app import main

if __name__ == "__main__":
    main()

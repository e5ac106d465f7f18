"""The command line: one Typer application, and the one place where an error becomes an exit code."""


def main() -> None:
    """Run the command line."""
    raise NotImplementedError

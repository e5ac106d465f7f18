"""The command line, in Typer: one short file per command; `app` owns the error boundary."""

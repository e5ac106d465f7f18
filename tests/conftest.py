"""What every test relies on."""

from __future__ import annotations

import signal

# A shell that runs the suite in the background has it ignore Ctrl-C, and what a test starts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

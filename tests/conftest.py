"""What every test relies on."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A shell that runs the suite in the background has it ignore Ctrl-C, and what a test starts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine and what else runs on it, and nothing about our code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

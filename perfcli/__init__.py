"""Profile and load-test machine-learning inference services.

`performance_monitor`, `instrument` and `profiled` are loaded on first use: `import perfcli` imports nothing.
"""

__version__ = "0.1.0"
__all__ = ["__version__", "instrument", "performance_monitor", "profiled"]

TYPE_CHECKING = False  # Type checkers know the name; the module of that name would be an import.
if TYPE_CHECKING:
    from perfcli.api.instrument import instrument
    from perfcli.logs.library import performance_monitor, profiled

_HOMES = {
    "performance_monitor": "perfcli.logs.library",
    "profiled": "perfcli.logs.library",
    "instrument": "perfcli.api.instrument",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'perfcli' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

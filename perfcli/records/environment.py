"""Where a run happened: what two results must share before they can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine and the versions a result was measured with.

    Attributes:
        perfcli_version: Version of perfcli.
        python_version: Version of the interpreter, such as `3.11.7`.
        platform: Operating system, release and architecture.
        cpu_model: Name of the processor; None when the system does not tell.
        cpus: Processors this process may run on.
        memory_bytes: Physical memory of the machine.
        load_average: Runnable processes over the last minute at the start; None where the system has no such figure.
        libraries: Version by name of the installed packages that matter to a prediction.
        blas_threads: Threads by native thread pool, such as `{"openblas": 2}`; None when unknown.
        git_revision: Commit of the working directory; None outside a checkout.
    """

    perfcli_version: str
    python_version: str
    platform: str
    cpu_model: str | None
    cpus: int
    memory_bytes: int
    load_average: float | None
    libraries: Mapping[str, str] = field(default_factory=dict)
    blas_threads: Mapping[str, int] | None = None
    git_revision: str | None = None

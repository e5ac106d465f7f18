"""Whether two results may be compared at all."""

from __future__ import annotations

from collections.abc import Iterator

from perfcli.errors import UsageError
from perfcli.records import Environment, ProfileResult, TargetDescription
from perfcli.records.load import LoadResult

FUNCTION = "call"
"""The method of a target that is called itself."""


def check_comparable(
    base: ProfileResult | LoadResult, new: ProfileResult | LoadResult, *, force: bool
) -> tuple[str, ...]:
    """Return what the two do not share although a comparison needs it; empty when they are comparable.

    Another target and another revision are what one compares, and no difference.

    Raises:
        UsageError: There is such a difference and `force` is not given, or the results are of different kinds.
    """
    if type(base) is not type(new):
        raise UsageError("A profile cannot be compared with a load test.", "Name two records of the same command.")
    differences = (*_of_inputs(base, new), *_of_environments(base.environment, new.environment))
    if differences and not force:
        raise UsageError(
            f"The two runs are not comparable: {'; '.join(differences)}.",
            "Measure both in the same way, or add --force to compare them nevertheless.",
        )
    return differences


def _of_inputs(base: ProfileResult | LoadResult, new: ProfileResult | LoadResult) -> Iterator[str]:
    if isinstance(base, ProfileResult) and isinstance(new, ProfileResult):
        yield from _difference("payloads", base.target.payload_digest[:12], new.target.payload_digest[:12])
        if _names_methods_alike(base.target, new.target):
            yield from _difference("method", base.target.method, new.target.method)
    if isinstance(base, LoadResult) and isinstance(new, LoadResult):
        # The digest is that of the single payloads, whatever the batches are that they are sent in.
        names = ["payload_digest", "rows", "scenario", "users", "rate_rps", "arrivals", "shape"]
        if base.description.shape is not None:
            # Of a shape that was cut short the rest is missing; an even load is the same for however long.
            names += ["duration_s", "requests"]
        for name in names:
            before, after = getattr(base.description, name), getattr(new.description, name)
            yield from _difference(name.replace("_", " "), before, after)


def _names_methods_alike(base: TargetDescription, new: TargetDescription) -> bool:
    """Tell whether the methods say if the same is asked of both: of a model what predicts, of an API the request's.

    A function has none, and stands for the prediction itself.
    """
    if (base.kind == "remote") != (new.kind == "remote"):
        return False
    return FUNCTION not in (base.method, new.method)


def _of_environments(base: Environment, new: Environment) -> Iterator[str]:
    for name in ("platform", "cpu_model", "cpus", "python_version", "perfcli_version"):
        yield from _difference(name.replace("_", " "), getattr(base, name), getattr(new, name))
    for library in sorted({*base.libraries, *new.libraries}):
        yield from _difference(library, base.libraries.get(library), new.libraries.get(library))


def _difference(name: str, before: object, after: object) -> Iterator[str]:
    if before != after:
        yield f"{name} {before} and {after}"

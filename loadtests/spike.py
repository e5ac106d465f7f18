"""A quiet service, ten times the users for ten seconds, and quiet again: does it come back?"""

from locust import LoadTestShape, between, task

from perfcli.loadtest.engine.users import InferenceUser


class Client(InferenceUser):
    """A person who looks at each answer for a moment."""

    wait_time = between(0.05, 0.15)

    @task
    def predict(self) -> None:
        """Ask for a prediction and check the answer."""
        self.post(self.payload())


class Spike(LoadTestShape):
    """Users by time; the end of the last step is the end of the run."""

    steps = ((20, 10), (30, 100), (60, 10))

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there are now, and that they come all at once."""
        elapsed_s = self.get_run_time()  # type: ignore[no-untyped-call]  # Locust is typed in parts
        return next(((users, 1000.0) for until_s, users in self.steps if elapsed_s < until_s), None)

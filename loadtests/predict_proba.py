"""Every user asks for the probabilities of one prediction after the other."""

from locust import task

from perfcli.loadtest.engine.users import InferenceUser


class Client(InferenceUser):
    """Sends the payloads to /predict_proba; `--check sums` demands that each row of the answer sums to 1."""

    @task
    def predict_proba(self) -> None:
        """Ask for probabilities and check the answer."""
        self.post(self.payload(), "/predict_proba")

"""Every user asks for one prediction after the other."""

from locust import task

from perfcli.loadtest.engine.users import InferenceUser


class Client(InferenceUser):
    """Sends the payloads in turn, alone or in batches as the command line says."""

    @task
    def predict(self) -> None:
        """Ask for a prediction and check the answer."""
        self.post(self.payload())

"""For hours: users who come back with the same patient, and want the same answer as the first time."""

import json

from locust import between, task

from perfcli.loadtest.engine.users import Answer, Body, InferenceUser


class Client(InferenceUser):
    """One doctor with one patient."""

    wait_time = between(0.5, 1.5)
    patient: Body
    first: object = None

    def on_start(self) -> None:
        """Choose the patient."""
        self.patient = self.payload()

    @task
    def ask_again(self) -> None:
        """Ask for the prediction once more."""
        self.post(self.patient, check=self.compare)

    def compare(self, answer: Answer) -> str | None:
        """Say what is wrong if a model was swapped, or a cache mixes up patients."""
        predictions = json.loads(answer.body)["predictions"]
        self.first = self.first or predictions
        return None if predictions == self.first else f"{predictions} instead of {self.first}"

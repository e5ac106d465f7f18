"""What a service sees on a working day: single rows, batches, probabilities, and 1 % of input that does not fit."""

from locust import task

from perfcli.loadtest.engine.users import InferenceUser


class Client(InferenceUser):
    """One client; the number of each task is its share in percent."""

    @task(70)
    def one(self) -> None:
        """Ask for one prediction."""
        self.post(self.payload(), "/predict")

    @task(19)
    def batch(self) -> None:
        """Ask for 32 predictions at once; they are an endpoint of their own in the result."""
        self.post(self.batch_of(32), "/predict", name="/predict (32 rows)")

    @task(10)
    def probabilities(self) -> None:
        """Ask for probabilities."""
        self.post(self.payload(), "/predict_proba")

    @task(1)
    def bad_input(self) -> None:
        """Send nonsense: refusing it politely is the right answer, all else is a failure."""
        self.post(b'{"mean_radius": "large"}', "/predict", name="/predict (bad input)", expect=422)

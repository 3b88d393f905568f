"""What the service counts, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

__all__ = ["CONTENT_TYPE_LATEST", "Counts"]


class Counts:
    """Requests by path and status, seconds, predictions by class, and the version that answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "slimderm_requests", "Requests.", ["path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "slimderm_request_seconds",
            "Seconds from a request to its answer.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._predicted = Counter(
            "slimderm_predictions", "Predictions by class.", ["class"], registry=self.registry
        )
        self._warned = Counter(
            "slimderm_answers_with_warnings", "Answers with warnings.", registry=self.registry
        )
        self._version = Gauge(
            "slimderm_model_version", "Version that answers.", ["name"], registry=self.registry
        )

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def prediction(self, predicted: str, warnings: int) -> None:
        """Count an answer."""
        self._predicted.labels(predicted).inc()
        if warnings:
            self._warned.inc()

    def page(self, name: str, version: str) -> bytes:
        """Write everything as text."""
        self._version.labels(name).set(float(version))
        return generate_latest(self.registry)

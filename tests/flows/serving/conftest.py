"""The network that is served and exported in these tests."""

from pathlib import Path

import pytest

from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipped_version import keep
from slimderm.flows.work.shipping import Shipping
from tests.flows.serving.example import DESCRIPTION, TEMPERATURE


@pytest.fixture(scope="session")
def network():
    """Builds a network of one image and three numbers, the same each time."""
    import keras

    def build():
        keras.utils.set_random_seed(0)
        image, metadata = keras.Input((8, 10, 3), name="image"), keras.Input((3,), name="metadata")
        mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
        both = keras.layers.Concatenate()([mean, metadata])
        said = keras.layers.Dense(2, activation="softmax")(both)
        return keras.Model({"image": image, "metadata": metadata}, said)

    return build


@pytest.fixture(scope="module")
def store(tmp_path_factory, with_policy, empty_record):
    """An empty registry in a folder of its own, which is the current one; and its address."""
    folder = tmp_path_factory.mktemp("store")
    with_policy(folder)
    empty_record(folder)
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    address = f"sqlite:///{folder}/mlflow.db"
    yield Registry(Tracker(RecordSettings(tracking_uri=address))), address
    patch.undo()


@pytest.fixture(scope="module")
def shipped(store, network):
    """A champion with a shipped file: its registry, its Keras model, and the store's address."""
    registry, address = store
    tracker, model = registry.tracker, network()
    model.save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "1", "R1", {}) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    registry.register("1", {})
    version = registry.version("1")
    registry.tag(version, {"gates": "passed"})
    registry.calibrate(version, TEMPERATURE)
    shipping = Shipping(Network(model, "a test", 255.0, TEMPERATURE, DESCRIPTION))
    made = shipping.judge("litert-float32", shipping.convert("litert-float32"))
    keep(registry, version, made, "the only one")
    registry.promotions.promote(registry.version("1"), "a test")
    return registry, model, address

"""Keras, imported when it is needed and without its backend's log lines."""

import gc
import logging
import os
import sys
from typing import Any

from slimderm.components.common.workers import one_thread
from slimderm.flows.base.terminal import quiet_stderr


def load_keras() -> Any:
    """Import Keras without the log lines its backend writes before logging is set up.

    What surrounds a network, an image's SVD first of all, gets one thread, also in the processes
    that Prefect starts.
    """
    one_thread()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    first = "keras" not in sys.modules
    with quiet_stderr():
        import keras

        keras.ops.zeros(1)
        import tensorflow  # noqa: F401  # Keras seeds it, too, whatever its backend
    if first:  # else every search for garbage goes through all of these modules
        gc.collect()
        gc.freeze()
    # Each network of a schedule is traced anew, as it must be; TensorFlow would warn of it.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras

"""Keras's way to ONNX, which the targets of that form share."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import keras

from slimderm.components.common.errors import ExportError
from slimderm.components.export.litert import check_backend, signature, words
from slimderm.components.export.target import Runtime

OPSET = 17  # 20 is refused by tf2onnx
ONNX = Runtime("onnx", "onnxruntime", "onnxruntime", ".onnx")


def to_onnx(model: keras.Model) -> bytes:
    """Convert a model.

    Parameters
    ----------
    model : keras.Model
        Its inputs are a dict, each of a fixed shape with the batch, its output is a dict.

    Returns
    -------
    bytes
        An ``.onnx`` file with weights as they were trained.

    Raises
    ------
    ParameterError
        If Keras does not run on TensorFlow.
    ExportError
        If the converter refuses the model; the message holds its words.
    """
    check_backend()
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras gives tf2onnx 1.17 a name that NumPy no longer has.
        warnings.filterwarnings("ignore", ".*np.object", FutureWarning)
        file = Path(folder, "model.onnx")
        arguments = {"opset_version": OPSET, "input_signature": signature(model)}
        try:
            model.export(file, format="onnx", verbose=False, **arguments)
        except Exception as error:  # each layer and the converter raise what they like
            raise ExportError(
                f"{model.name}: the converter to ONNX refuses the model ({words(error)})"
            ) from error
        made = file.read_bytes()
    _check_inputs(model, made)
    return made


def _check_inputs(model: keras.Model, made: bytes) -> None:
    """Refuse a file that asks for more than the model: constants that became inputs."""
    import onnx

    names = {each.name for each in onnx.load_from_string(made).graph.input}
    if more := sorted(names - {each.name for each in model.inputs}):
        raise ExportError(
            f"{model.name}: the converter to ONNX makes inputs of constants ({', '.join(more)}), "
            "as it does of a Normalization layer; write that as a Rescaling layer"
        )

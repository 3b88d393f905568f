"""How the loops are compiled, and the arrays that they take."""

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Waves = npt.NDArray[np.complex128]

# The order of additions may change, and no division is checked: so they can run side by side.
compiled = njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})

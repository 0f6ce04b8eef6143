"""Types of the arrays that matching computes with."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
"""Row numbers, ids and counts."""

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

"""Figures of the toy chapter, a module per kind of experiment with `figures(name, result, arrays)`."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

Arrays = Mapping[str, Shaped[np.ndarray, "..."]]
"""An experiment's arrays.npz; each figure's docstring gives the shapes of those it draws."""

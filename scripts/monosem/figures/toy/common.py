"""What the figures of toy models share."""

from matplotlib.colors import Normalize

SIGNED = Normalize(-1.0, 1.0)
"""Scale of weights, biases and cosines; colours of `style.DIVERGING`."""
RULE = {"linewidth": 0.9, "linestyle": (0, (4, 2)), "zorder": 1}
"""A dashed line of reference."""

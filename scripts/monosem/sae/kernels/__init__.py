"""Products and selections that an SAE spends its time in, compiled where that is faster."""

import os

from scripts.monosem.core.places import give_caches

give_caches(os.environ)  # before numba is loaded, which looks for a place for its cache

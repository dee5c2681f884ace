"""联护 Lianhu: a data-sharing hub against domestic violence."""

import gc

__version__ = "0.15.0"

# Before anything else is imported: what imports make stays, and looking through it for garbage is a tenth of a start.
gc.set_threshold(20_000, 20, 100)

"""联护 Lianhu: a data-sharing hub against domestic violence."""

__version__ = "0.9.0"

"""sbtools measures and reduces static bias in video action recognition."""

__version__ = "0.1.0"

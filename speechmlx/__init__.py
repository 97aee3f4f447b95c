"""speechmlx: a local speech server for Apple silicon."""

__version__ = "0.1.0"

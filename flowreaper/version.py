"""The version of flowreaper."""

__version__ = "0.1.0"

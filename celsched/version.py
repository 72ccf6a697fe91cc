"""Owns the version of celsched; the package's metadata is built from it. It never imports anything."""

__version__ = "0.1.0"

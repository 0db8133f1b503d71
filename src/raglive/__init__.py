"""raglive: see every document on its way into your RAG index, live, and trust what you see."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("raglive")

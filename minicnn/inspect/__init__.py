"""Looking into models."""

from minicnn.inspect.summary import Row, Summary, summary

__all__ = ["Row", "Summary", "summary"]

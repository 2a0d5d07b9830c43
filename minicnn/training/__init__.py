"""Training a model, and what is kept of it."""

from minicnn.training.history import History
from minicnn.training.trainer import Trainer

__all__ = ["History", "Trainer"]

"""Weights in and out of minicnn, in formats that other programs read."""

from minicnn.interop.checkpoint import load, save
from minicnn.interop.safetensors import load_file, save_file

__all__ = ["load", "load_file", "save", "save_file"]

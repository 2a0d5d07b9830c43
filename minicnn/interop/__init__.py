"""Weights in and out of minicnn, in formats that other programs read."""

from minicnn.interop.safetensors import load_file, save_file

__all__ = ["load_file", "save_file"]

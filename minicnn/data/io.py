"""Picture files as Tensors; torchvision.io's names."""

import io
import os
from enum import Enum
from typing import Any

from minicnn.data.transforms import functional as F
from minicnn.tensor import Tensor

__all__ = ["ImageReadMode", "decode_image", "read_image"]


class ImageReadMode(Enum):
    """The colours that a picture is to have."""

    UNCHANGED = ""
    GRAY = "L"
    GRAY_ALPHA = "LA"
    RGB = "RGB"
    RGB_ALPHA = "RGBA"


def decode_image(input: Any, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """A picture file as a uint8 Tensor (C, H, W).

    Parameters
    ----------
    input : path of the file; or its bytes, a uint8 Tensor (length).
    mode : an ImageReadMode or its name.

    Raises
    ------
    RuntimeError : it is no picture that Pillow can read.
    """
    from PIL import Image

    if isinstance(mode, str):
        mode = ImageReadMode[mode.upper()]
    if isinstance(input, Tensor):
        file: Any = io.BytesIO(input.array.tobytes())
    else:
        file = os.fspath(input)
    try:
        with Image.open(file) as image:
            if mode is ImageReadMode.UNCHANGED:  # a palette is how a file is packed, not what it shows
                return F.pil_to_tensor(image.convert("RGB") if image.mode == "P" else image)
            return F.pil_to_tensor(image.convert(mode.value))
    except (FileNotFoundError, IsADirectoryError):
        raise
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's errors of damaged files
        raise RuntimeError(f"decode_image: cannot read a picture: {error}") from error


def read_image(path: str | os.PathLike[str], mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """A picture file as a uint8 Tensor (C, H, W)."""
    return decode_image(os.fspath(path), mode)

"""Pictures into Tensors and back, and changes of a Tensor's values; torchvision's names and arguments."""

from typing import Any

import numpy as np

from minicnn.data.transforms import color, pillow
from minicnn.tensor import Tensor


def to_tensor(pic: Any) -> Tensor:
    """A PIL picture or an array (H, W) or (H, W, C) as a Tensor (C, H, W); bytes become floats in [0, 1]."""
    if pillow.is_pillow(pic):
        x = pillow.to_array(pic)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"to_tensor: expected an array of 2 or 3 dimensions, got {pic.shape}")
        x = np.array(pic[None] if pic.ndim == 2 else pic.transpose(2, 0, 1), order="C")
    else:
        raise TypeError(f"to_tensor: pic should be PIL Image or ndarray, got {type(pic).__name__}")
    return Tensor(x / np.float32(255) if x.dtype == np.uint8 else x)


def to_image(pic: Any) -> Tensor:
    """A PIL picture or an array (H, W) or (H, W, C) as a Tensor (C, H, W) with the same values."""
    if isinstance(pic, np.ndarray) and pic.ndim in (2, 3):
        return Tensor(np.array(pic[None] if pic.ndim == 2 else pic.transpose(2, 0, 1), order="C"))
    return pic if isinstance(pic, Tensor) else pil_to_tensor(pic)


def pil_to_tensor(pic: Any) -> Tensor:
    """A PIL picture as a Tensor (C, H, W) with the same values."""
    if not pillow.is_pillow(pic):
        raise TypeError(f"pil_to_tensor: pic should be PIL Image, got {type(pic).__name__}")
    return Tensor(pillow.to_array(pic))


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A Tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a PIL picture."""
    if isinstance(pic, Tensor):
        x = pic.array
    elif isinstance(pic, np.ndarray):
        x = pic.transpose(2, 0, 1) if pic.ndim == 3 else pic
    else:
        raise TypeError(f"to_pil_image: pic should be Tensor or ndarray, got {type(pic).__name__}")
    return pillow.from_array(x[None] if x.ndim == 2 else x, mode)


def to_dtype(image: Any, dtype: Any = np.float32, scale: bool = False) -> Any:
    """Another dtype; with `scale`, the values are scaled so that full scale stays full scale."""
    if not isinstance(image, Tensor | np.ndarray):
        raise TypeError(f"to_dtype: expected a Tensor, got {type(image).__name__}")
    x = image.array if isinstance(image, Tensor) else image
    changed = color.to_dtype(x, np.dtype(dtype)) if scale else x.astype(dtype)
    return Tensor(changed) if isinstance(image, Tensor) else changed


def convert_image_dtype(image: Any, dtype: Any = np.float32) -> Any:
    """Another dtype, scaled."""
    return to_dtype(image, dtype, scale=True)


def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
    """``(tensor - mean) / std``, each one number or one a channel."""
    if not isinstance(tensor, Tensor | np.ndarray):
        raise TypeError(f"normalize: expected a Tensor, got {type(tensor).__name__}; ToTensor goes before it")
    x = tensor.array if isinstance(tensor, Tensor) else tensor
    if x.dtype.kind != "f":
        raise TypeError(f"normalize: expected floats, got {x.dtype}")
    if x.ndim < 3:
        raise ValueError(f"normalize: expected a picture (..., C, H, W), got shape {x.shape}")
    mean, std = (np.asarray(value, x.dtype).reshape(-1, 1, 1) for value in (mean, std))
    for name, value in (("mean", mean), ("std", std)):
        if len(value) not in (1, x.shape[-3]):
            raise ValueError(
                f"normalize: {name} has {len(value)} values but x has {x.shape[-3]} channels {x.shape}"
            )
    if not std.all():
        raise ValueError(f"normalize: std must not be 0, got {std.ravel().tolist()}")
    result = x - mean
    result /= std
    if inplace:
        x[...] = result
        return tensor
    return Tensor(result) if isinstance(tensor, Tensor) else result


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """Overwrite a Tensor's window, top `i`, left `j`, with `v`."""
    if not isinstance(img, Tensor | np.ndarray):
        raise TypeError(f"erase: expected a Tensor, got {type(img).__name__}; ToTensor goes before it")
    x = img.array if isinstance(img, Tensor) else img
    if not inplace:
        x = x.copy()
    x[..., i : i + h, j : j + w] = v.array if isinstance(v, Tensor) else v
    return img if inplace else Tensor(x) if isinstance(img, Tensor) else x

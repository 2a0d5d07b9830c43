"""Transforms made of others, several crops at once, blurring; v2's names; pictures side by side."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from PIL import Image

import minicnn as mc
import minicnn.data as torchvision
from minicnn.data import DataLoader, datasets, transforms
from minicnn.data.transforms import functional as F
from minicnn.data.transforms import v2
from minicnn.data.transforms.container import batch_form
from minicnn.data.utils import make_grid, save_image

X = np.random.default_rng(5).integers(0, 256, (3, 12, 10), np.uint8)


def picture(x: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(x.transpose(1, 2, 0)))


# made of others


def adding(number):
    return transforms.Lambda(lambda x: x + number)


def test_random_choice():
    mc.manual_seed(0)
    choice = transforms.RandomChoice([adding(1), adding(2), adding(4)], p=[1, 0, 3])
    drawn = np.array([choice(0) for _ in range(2000)])
    assert set(drawn) == {1, 4} and (drawn == 4).mean() == pytest.approx(0.75, abs=0.04)
    fair = [transforms.RandomChoice([adding(1), adding(2)])(0) for _ in range(1000)]
    assert np.mean(fair) == pytest.approx(1.5, abs=0.06)


def test_random_order():
    mc.manual_seed(0)
    order = transforms.RandomOrder([adding("a"), adding("b"), adding("c")])
    assert {order("") for _ in range(100)} == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_random_apply():
    mc.manual_seed(0)
    apply = transforms.RandomApply([adding(1), adding(2)], p=0.25)
    assert np.mean([apply(0) == 3 for _ in range(2000)]) == pytest.approx(0.25, abs=0.04)
    dark = transforms.RandomApply([transforms.ColorJitter(brightness=(0, 0))], p=0.25)
    batch = dark.batch(np.full((2000, 1, 2, 2), 9, np.uint8))
    assert (batch == 0).all((1, 2, 3)).mean() == pytest.approx(0.25, abs=0.04)
    assert set(batch.sum((1, 2, 3)).tolist()) == {0, 36}


@pytest.mark.parametrize("kind", [transforms.RandomChoice, transforms.RandomOrder])
def test_what_batches_cannot_do_is_done_picture_by_picture(kind):
    steps = [kind([transforms.RandomCrop(28), transforms.RandomHorizontalFlip()]), transforms.ToTensor()]
    assert batch_form(transforms.Compose(steps), (transforms.ToTensor,)) is None
    data = datasets.MNIST("data", False, transforms.Compose(steps))
    images, _ = next(iter(DataLoader(data, 8)))
    for image, original in zip(images.array, data.data.array[:8], strict=True):
        assert any(np.array_equal(image[0] * 255, x) for x in (original, original[:, ::-1]))


def test_foreign_functions_inside_are_called_picture_by_picture():
    seen = []
    inner = transforms.Compose([transforms.Lambda(lambda image: seen.append(image.size) or image)])
    steps = [transforms.RandomApply([inner], p=1), transforms.ToTensor()]
    data = datasets.MNIST("data", False, transforms.Compose(steps))
    images, _ = next(iter(DataLoader(data, 3)))
    assert seen == [(28, 28)] * 3 and images.shape == (3, 1, 28, 28)


# several crops at once


@pytest.mark.parametrize("size", [(5, 7), 4, (12, 10)])
@pytest.mark.parametrize("given", [picture, mc.Tensor], ids=["PIL", "Tensor"])
def test_five_and_ten_crops(size, given):
    h, w = (size, size) if isinstance(size, int) else size
    top, left = round((12 - h) / 2), round((10 - w) / 2)

    def five(x):
        return [x[:, :h, :w], x[:, :h, 10 - w :], x[:, 12 - h :, :w], x[:, 12 - h :, 10 - w :],
                x[:, top : top + h, left : left + w]]  # fmt: skip

    for transform, expected in (
        (transforms.FiveCrop(size), five(X)),
        (transforms.TenCrop(size), five(X) + five(X[:, :, ::-1])),
        (transforms.TenCrop(size, vertical_flip=True), five(X) + five(X[:, ::-1])),
    ):
        crops = transform(given(X))
        assert isinstance(crops, tuple) and len(crops) == len(expected)
        for crop, pixels in zip(crops, expected, strict=True):
            found = crop.array if isinstance(crop, mc.Tensor) else np.asarray(crop).transpose(2, 0, 1)
            assert np.array_equal(found, pixels)


def test_crops_as_the_documentation_stacks_them():
    transform = transforms.Compose(
        [
            transforms.TenCrop(8),
            transforms.Lambda(lambda crops: mc.stack([transforms.ToTensor()(crop) for crop in crops])),
        ]
    )
    assert transform(picture(X)).shape == (10, 3, 8, 8)
    with pytest.raises(ValueError, match=r"five_crop: size \(13, 13\) is larger than the picture \(12, 10\)"):
        transforms.FiveCrop(13)(picture(X))


# blurring


def blurred(x: torch.Tensor, size, sigma) -> torch.Tensor:
    """torchvision's formula: one convolution with the outer product of two bells, the border mirrored."""
    bells = []
    for taps, spread in zip(size, sigma, strict=True):
        place = torch.linspace(-(taps - 1) / 2, (taps - 1) / 2, taps)
        bell = torch.exp(-0.5 * (place / spread) ** 2)
        bells.append(bell / bell.sum())
    window = (bells[1][:, None] @ bells[0][None]).expand(3, 1, size[1], size[0])
    sides = [size[0] // 2, size[0] // 2, size[1] // 2, size[1] // 2]
    return TF.conv2d(TF.pad(x[None], sides, mode="reflect"), window, groups=3)[0]


@pytest.mark.parametrize(
    ("kernel_size", "sigma", "spread"),
    [
        (3, 0.8, (0.8, 0.8)),
        ((5, 3), (0.5, 2.0), (0.5, 2.0)),
        ((7, 1), None, (1.4, 0.5)),
        (5, [1.5], (1.5, 1.5)),
    ],
)
def test_gaussian_blur(kernel_size, sigma, spread):
    size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    expected = blurred(torch.tensor(X, dtype=torch.float32), size, spread).numpy()
    floats = F.gaussian_blur(mc.Tensor(X / np.float32(255)), kernel_size, sigma)
    assert floats.dtype == mc.float32
    np.testing.assert_allclose(floats.array * 255, expected, rtol=1e-5, atol=1e-3)
    raw = F.gaussian_blur(mc.Tensor(X), kernel_size, sigma)
    assert raw.dtype == mc.uint8 and np.array_equal(raw.array, np.rint(expected))
    pil = F.gaussian_blur(picture(X), kernel_size, sigma)
    assert pil.mode == "RGB" and np.array_equal(np.asarray(pil).transpose(2, 0, 1), raw.array)


def test_gaussian_blur_draws_its_sigma():
    transform = transforms.GaussianBlur(3, sigma=(0.5, 1.5))
    (sigma,) = transform.draw(500, 3, 12, 10)
    assert 0.5 <= sigma.min() < 0.55 and 1.45 < sigma.max() <= 1.5
    assert repr(transform) == "GaussianBlur(kernel_size=(3, 3), sigma=(0.5, 1.5))"
    fixed = transforms.GaussianBlur((5, 3), 0.7)(mc.Tensor(X))
    assert np.array_equal(fixed.array, F.gaussian_blur(mc.Tensor(X), (5, 3), 0.7).array)


# v2


def test_v2_turns_pictures_into_tensors_in_two_steps():
    steps = [
        v2.ToImage(),
        v2.RandomHorizontalFlip(p=1),
        v2.ToDtype(mc.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ]
    expected = (X[:, :, ::-1] / 255 - 0.5) / 0.5
    alone = v2.Compose(steps)(picture(X))
    np.testing.assert_allclose(alone.array, expected, rtol=0, atol=1e-6)
    together = batch_form(v2.Compose(steps), (v2.ToImage,))(np.stack([X, X[::-1]]))
    np.testing.assert_allclose(together[0], expected, rtol=0, atol=1e-6)
    assert np.array_equal(v2.ToImage()(X.transpose(1, 2, 0)).array, X)
    plain = v2.ToDtype(mc.float32)(mc.Tensor(X))
    assert plain.dtype == mc.float32 and np.array_equal(plain.array, X)
    assert v2.RandomCrop is transforms.RandomCrop and v2.functional is F


# side by side


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"nrow": 2},
        {"nrow": 3, "padding": 0},
        {"padding": 1, "pad_value": 0.5},
        {"nrow": 50, "padding": 3},
    ],
)
@pytest.mark.parametrize("count", [1, 5, 8, 9])
@pytest.mark.parametrize("channels", [1, 3])
def test_make_grid(count, channels, settings):
    pictures = np.random.default_rng(count).random((count, channels, 3, 4), np.float32)
    grid = make_grid(mc.tensor(pictures), **settings).array
    if count == 1:
        assert np.array_equal(grid, np.broadcast_to(pictures[0], (3, 3, 4)))
        return
    columns, gap = min(settings.get("nrow", 8), count), settings.get("padding", 2)
    rows = -(-count // columns)
    assert grid.shape == (3, rows * (3 + gap) + gap, columns * (4 + gap) + gap) and grid.dtype == np.float32
    for place, one in enumerate(pictures):
        top, left = (gap + place // columns * (3 + gap), gap + place % columns * (4 + gap))
        cell = grid[:, top : top + 3, left : left + 4]
        assert np.array_equal(cell, np.broadcast_to(one, (3, 3, 4)))
        cell[...] = settings.get("pad_value", 0)  # so that only what lies between is left
    assert (grid == settings.get("pad_value", 0)).all()
    listed = make_grid([mc.tensor(one) for one in pictures], **settings)
    assert np.array_equal(listed.array, make_grid(mc.tensor(pictures), **settings).array)


def test_make_grid_normalizes():
    pictures = mc.tensor([[[[0.0, 2.0]]], [[[1.0, 5.0]]]])
    rows = {
        (): [0, 0.4, 0.2, 1],
        (("scale_each", True),): [0, 1, 0, 1],
        (("value_range", (1, 3)),): [0, 0.5, 0, 1],
    }
    for settings, expected in rows.items():
        grid = make_grid(pictures, padding=0, normalize=True, **dict(settings))
        assert grid.shape == (3, 1, 4)
        np.testing.assert_allclose(grid.array, np.tile(np.float32(expected), (3, 1, 1)), rtol=1e-6)
    assert pictures.max().item() == 5


def test_save_image(tmp_path):
    pictures = mc.tensor([[[[0.0, 0.5], [1.0, 2.0]]] * 3, [[[-1.0, 0.1], [0.998, 0.9985]]] * 3])
    expected = [[0, 128, 0, 26], [255, 255, 254, 255]]
    save_image(pictures, tmp_path / "grid.png", padding=0)
    buffer = io.BytesIO()
    torchvision.utils.save_image(list(pictures), buffer, format="PNG", padding=0)
    for file in (tmp_path / "grid.png", buffer):
        found = np.asarray(Image.open(file))
        assert found.shape == (2, 4, 3) and found[..., 1].tolist() == expected


# files


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_picture_files_as_tensors(tmp_path, mode):
    image = picture(X).convert(mode)
    image.save(tmp_path / "a.png")
    expected = np.asarray(image).reshape(12, 10, -1).transpose(2, 0, 1)
    read = torchvision.io.read_image(str(tmp_path / "a.png"))
    assert read.dtype == mc.uint8 and np.array_equal(read.array, expected)
    content = mc.tensor(np.frombuffer((tmp_path / "a.png").read_bytes(), np.uint8))
    for given in (tmp_path / "a.png", content):
        gray = torchvision.io.decode_image(given, mode=torchvision.io.ImageReadMode.GRAY)
        assert np.array_equal(gray.array[0], np.asarray(image.convert("L")))
        assert torchvision.io.decode_image(given, "RGB").shape == (3, 12, 10)


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(RuntimeError, match="decode_image: cannot read a picture"):
        torchvision.io.read_image(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        torchvision.io.decode_image(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: transforms.RandomChoice([len], p=0.5), TypeError, "p must be 1 numbers, got 0.5"),
        (
            lambda: transforms.RandomOrder(len),
            TypeError,
            "RandomOrder: expected a list of functions, got builtin",
        ),
        (lambda: transforms.RandomApply([len], p=2), ValueError, r"RandomApply: p must lie in 0\.\.1, got 2"),
        (lambda: transforms.RandomApply([3]), TypeError, "RandomApply: expected functions, got int"),
        (lambda: transforms.GaussianBlur(4), ValueError, "GaussianBlur: kernel_size must be odd, got 4"),
        (lambda: transforms.GaussianBlur(3, 0), ValueError, "sigma must be > 0, got 0"),
        (lambda: F.gaussian_blur(mc.Tensor(X), 2), ValueError, "gaussian_blur: kernel_size must be odd"),
        (lambda: F.gaussian_blur(mc.Tensor(X), 3, -1.0), ValueError, "sigma must be > 0, got -1.0"),
        (lambda: transforms.FiveCrop(0), ValueError, "FiveCrop: size must be one or two integers > 0"),
        (lambda: make_grid([X]), TypeError, "make_grid: expected a Tensor or a list of them, got ndarray"),
        (lambda: make_grid(mc.zeros(1, 2, 3, 4, 5)), ValueError, r"\(N, C, H, W\), got \(1, 2, 3, 4, 5\)"),
        (
            lambda: make_grid(mc.zeros(2, 3, 4, 5), normalize=True, value_range=[0, 1]),
            TypeError,
            r"value_range must be \(min, max\), got \[0, 1\]",
        ),
    ],
)
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()

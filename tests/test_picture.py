"""Pictures of digits brought into MNIST's form."""

import numpy as np
import pytest
from PIL import Image, ImageChops

from minicnn.data import MNIST, to_mnist_form


@pytest.fixture(scope="module")
def digits():
    """The first three test digits of each class; floats in [0, 1]."""
    data = MNIST(train=False)
    return np.concatenate([data.images[data.targets == label][:3] for label in range(10)]) / 255


def enlarge(digit: np.ndarray, times: int) -> np.ndarray:
    size = (digit.shape[1] * times, digit.shape[0] * times)
    large = Image.fromarray(digit.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(large), 0, 1)


def drawing(digit: np.ndarray, paper, ink, times=7, noise=0.0, seed=0, size=(300, 420)) -> np.ndarray:
    """A digit, enlarged and off centre, on a larger coloured sheet: uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    amount = np.zeros(size)
    large = enlarge(digit, times)
    top, left = rng.integers(0, np.array(size) - large.shape)
    amount[top : top + large.shape[0], left : left + large.shape[1]] = large
    paper, ink = np.array(paper, float), np.array(ink, float)
    sheet = paper + amount[..., None] * (ink - paper) + rng.normal(0, noise, (*size, 3))
    return np.clip(np.round(sheet), 0, 255).astype(np.uint8)


def likeness(found: np.ndarray, digit: np.ndarray) -> float:
    """Correlation with the original, at the best of the nine one-pixel shifts (centring rounds)."""
    shifts = [np.roll(found, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return max(np.corrcoef(shifted.ravel(), digit.ravel())[0, 1] for shifted in shifts)


def centre(picture: np.ndarray) -> tuple[float, float]:
    total = picture.sum()
    rows, columns = np.indices(picture.shape)
    return (rows * picture).sum() / total, (columns * picture).sum() / total


BLACK_ON_WHITE = ((255, 255, 255), (0, 0, 0))


@pytest.mark.parametrize(
    "paper, ink, noise",
    [
        (*BLACK_ON_WHITE, 0),
        ((0, 0, 0), (255, 255, 255), 0),
        ((210, 190, 120), (20, 40, 160), 12),
        ((40, 60, 50), (250, 220, 90), 12),
        ((0, 128, 0), (250, 0, 0), 5),  # as bright as each other
        ((130, 130, 130), (95, 95, 95), 4),
    ],
)
def test_drawn_digits_become_the_digits_they_were(digits, paper, ink, noise):
    forms = [to_mnist_form(drawing(d, paper, ink, noise=noise, seed=i)) for i, d in enumerate(digits)]
    assert all(form.shape == (28, 28) and form.dtype == np.float32 for form in forms)
    alike = [likeness(form, digit) for form, digit in zip(forms, digits, strict=True)]
    assert min(alike) > 0.88 and np.median(alike) > 0.95
    difference = [np.abs(form - digit).mean() for form, digit in zip(forms, digits, strict=True)]
    assert np.median(difference) < 0.04  # an all-black answer would differ by 0.13


def test_mnist_itself_hardly_changes(digits):
    for digit in digits:
        assert likeness(to_mnist_form(digit), digit) > 0.97
        np.testing.assert_allclose(to_mnist_form(1 - digit), to_mnist_form(digit), atol=1e-5)


@pytest.mark.parametrize("height, width", [(200, 40), (30, 90), (8, 3), (300, 300)])
def test_box_scale_and_centre_of_mass(height, width):
    sheet = np.full((400, 500), 255, np.uint8)
    sheet[50 : 50 + height, 100 : 100 + width] = 0
    form = to_mnist_form(sheet)
    rows, columns = np.flatnonzero((form > 0.5).any(1)), np.flatnonzero((form > 0.5).any(0))
    scale = 20 / max(height, width)
    # Smoothing may make a stroke some pixels of the sheet wider.
    assert abs(len(rows) - height * scale) <= 0.5 + 3 * scale
    assert abs(len(columns) - width * scale) <= 0.5 + 3 * scale
    assert form.max() == pytest.approx(1) and form.min() == 0
    assert centre(form) == pytest.approx((14, 14), abs=0.51)


def test_centre_of_mass_of_a_lopsided_figure():
    figure = np.zeros((280, 280), np.uint8)
    figure[40:240, 60:80] = 255  # an L with a heavy foot
    figure[180:240, 60:180] = 255
    assert centre(to_mnist_form(figure)) == pytest.approx((14, 14), abs=0.51)


def test_every_kind_of_picture_gives_the_same(digits, tmp_path):
    sheet = drawing(digits[0], *BLACK_ON_WHITE)
    grey = Image.fromarray(sheet).convert("L")
    expected = to_mnist_form(sheet)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    see_through = {colour: Image.new("RGBA", grey.size, (colour,) * 3) for colour in (0, 255)}
    for picture in see_through.values():
        picture.putalpha(ImageChops.invert(grey))
    pictures = {
        "RGB": Image.fromarray(sheet),
        "L": grey,
        "P": grey.convert("P"),
        "CMYK": Image.fromarray(sheet).convert("CMYK"),
        "16 bit": deep,
        "float": Image.fromarray(np.asarray(grey, np.float32) / 255),
        "black ink on nothing": see_through[0],
        "white ink on nothing": see_through[255],
        "uint16 array": np.asarray(grey).astype(np.uint16) * 257,
        "float array": np.asarray(grey) / 255,
        "grey and alpha": np.stack([np.zeros_like(np.asarray(grey)), 255 - np.asarray(grey)], 2),
        "one channel": np.asarray(grey)[..., None],
    }
    for kind, picture in pictures.items():
        np.testing.assert_allclose(to_mnist_form(picture), expected, atol=0.02, err_msg=kind)
    for name in ("RGB", "16 bit", "white ink on nothing"):
        path = tmp_path / f"{name}.png"
        pictures[name].save(path)
        np.testing.assert_allclose(to_mnist_form(path), expected, atol=0.02, err_msg=name)
        assert np.array_equal(to_mnist_form(str(path)), to_mnist_form(path))


def test_bilevel_picture_and_array(digits):
    sheet = drawing(digits[2], *BLACK_ON_WHITE)[..., 0]
    for picture in (Image.fromarray(sheet).convert("1", dither=Image.Dither.NONE), sheet < 128):
        assert likeness(to_mnist_form(picture), digits[2]) > 0.88


def test_jpeg_photograph_with_a_shadow(digits, tmp_path):
    for i in range(5):
        shade = np.linspace(0.7, 1, 300)[:, None, None]
        sheet = drawing(digits[i], (235, 230, 220), (40, 40, 70), noise=3, seed=i) * shade
        Image.fromarray(sheet.astype(np.uint8)).save(tmp_path / "digit.jpg", quality=70)
        assert likeness(to_mnist_form(tmp_path / "digit.jpg"), digits[i]) > 0.88


def test_camera_rotation_is_undone(digits, tmp_path):
    sheet = Image.fromarray(drawing(digits[4], *BLACK_ON_WHITE))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90 degrees clockwise
    sheet.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(to_mnist_form(tmp_path / "turned.png"), to_mnist_form(sheet))


def test_specks_do_not_widen_the_box(digits):
    sheet = drawing(digits[3], *BLACK_ON_WHITE)
    clean = to_mnist_form(sheet)
    rng = np.random.default_rng(0)
    sheet[rng.random(sheet.shape[:2]) < 0.003] = 0
    sheet[3:8, 3:8] = 0
    assert likeness(to_mnist_form(sheet), clean) > 0.95


def test_large_pictures_are_reduced(digits):
    sheet = drawing(digits[0], *BLACK_ON_WHITE, times=60, size=(2000, 2600))
    assert likeness(to_mnist_form(Image.fromarray(sheet)), digits[0]) > 0.88


def test_thin_strokes_stay_bright():
    sheet = np.full((280, 280), 255, np.uint8)
    sheet[40:240, 140] = 0
    form = to_mnist_form(sheet)
    assert form.max() == 1 and np.count_nonzero(form.max(axis=1) > 0.9) >= 18


class TestBadInput:
    @pytest.mark.parametrize(
        "picture",
        [
            np.zeros((28, 28)),
            np.full((5, 7, 3), 200, np.uint8),
            np.zeros((1, 1)),
            Image.new("L", (40, 40), 255),
            Image.new("RGBA", (9, 9), (0, 0, 0, 0)),
            np.random.default_rng(0).normal(0.5, 0.1, (280, 280)),
            np.random.default_rng(1).normal(0.5, 0.1, (40, 30, 3)),
        ],
    )
    def test_blank(self, picture):
        with pytest.raises(ValueError, match="is blank: nothing stands out"):
            to_mnist_form(picture)

    def test_blank_file_is_named(self, tmp_path):
        Image.new("RGB", (50, 50), "white").save(tmp_path / "sheet.png")
        with pytest.raises(ValueError, match=r"sheet\.png is blank"):
            to_mnist_form(tmp_path / "sheet.png")

    def test_files_that_are_no_pictures(self, tmp_path, digits):
        with pytest.raises(FileNotFoundError, match=r"no such file: .*nothing\.png"):
            to_mnist_form(tmp_path / "nothing.png")
        with pytest.raises(ValueError, match="expected a picture file, got the folder"):
            to_mnist_form(tmp_path)
        text = tmp_path / "letter.png"
        text.write_text("Dear reader")
        with pytest.raises(ValueError, match=r"letter\.png is not a picture that Pillow can read"):
            to_mnist_form(text)
        Image.fromarray(drawing(digits[0], *BLACK_ON_WHITE)).save(text)
        text.write_bytes(text.read_bytes()[:-500])
        with pytest.raises(ValueError, match=r"letter\.png cannot be read as a picture"):
            to_mnist_form(text)

    def test_arrays_that_are_no_pictures(self):
        with pytest.raises(ValueError, match=r"expected an array \(H, W\).*got \(2, 28, 28\)"):
            to_mnist_form(np.zeros((2, 28, 28)))
        with pytest.raises(ValueError, match=r"the array is empty, \(0, 5, 1\)"):
            to_mnist_form(np.zeros((0, 5)))
        with pytest.raises(ValueError, match="NaN or infinite"):
            to_mnist_form(np.full((28, 28), np.nan))
        with pytest.raises(ValueError, match="array of real numbers, got complex128"):
            to_mnist_form(np.zeros((28, 28), complex))
        with pytest.raises(TypeError, match="a Pillow picture, an array or a path, got list"):
            to_mnist_form([[0, 1], [1, 0]])

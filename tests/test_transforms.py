"""Transforms: torchvision's known answers, single pictures, and batches with numbers for each picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minicnn as mc
from minicnn.data import transforms
from minicnn.data.transforms import functional as F
from minicnn.data.transforms.container import batch_form
from minicnn.random import Generator, drawing_from
from minicnn.tensor import Tensor

KNOWN = json.loads((Path(__file__).parent / "data" / "transforms_known_answers.json").read_text())
IMAGES = {name: np.array(values, np.uint8) for name, values in KNOWN["images"].items()}
NOISE = IMAGES["12x10"]


def picture(x: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0)))


def pixels(result) -> np.ndarray:
    if isinstance(result, Tensor):
        return result.array
    array = np.asarray(result)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def pictures(count=9, channels=3, height=11, width=8, dtype=np.uint8) -> np.ndarray:
    x = np.random.default_rng(3).integers(0, 256, (count, channels, height, width), np.uint8)
    return x if dtype == np.uint8 else (x / np.float32(255))


class TestKnownAnswers:
    @pytest.mark.parametrize("function", sorted({answer["function"] for answer in KNOWN["answers"]}))
    def test_torchvision(self, function):
        answers = [answer for answer in KNOWN["answers"] if answer["function"] == function]
        for answer in answers:
            x = IMAGES[answer["image"]]
            if answer["kind"] == "tensor float32":
                given = Tensor(x / np.float32(255))
            else:
                given = picture(x) if answer["kind"] == "PIL" else Tensor(x)
            found = getattr(F, function)(given, **answer["parameters"])
            assert isinstance(found, type(given))
            expected = np.array(answer["output"], answer["dtype"])
            about = f"{answer['kind']} {answer['parameters']}"
            assert pixels(found).dtype == expected.dtype and pixels(found).shape == expected.shape, about
            rounding = 2e-6 if expected.dtype == np.float32 else 0
            np.testing.assert_allclose(pixels(found), expected, rtol=0, atol=rounding, err_msg=about)
            untouched = x / np.float32(255) if answer["kind"] == "tensor float32" else x
            assert np.array_equal(pixels(given), untouched)

    def test_resize_of_the_smaller_edge(self):
        for case in KNOWN["resize of the smaller edge"]:
            x = np.zeros((1, *case["size"]), np.float32)
            assert list(F.resize(x, [case["resize"]]).shape[1:]) == case["result"]

    def test_batches_are_done_as_single_pictures_are(self):
        x = pictures()
        for dtype in (np.uint8, np.float32):
            batch = x if dtype == np.uint8 else x / np.float32(255)
            for change in (
                lambda p: F.resize(p, [7, 13]),
                lambda p: F.rotate(p, 21.0, "bilinear", fill=[1, 2, 3]),
                lambda p: F.affine(p, 5.0, [1, 2], 1.2, [3.0, 1.0]),
                lambda p: F.adjust_contrast(p, 1.3),
                lambda p: F.adjust_hue(p, 0.2),
                lambda p: F.rgb_to_grayscale(p, 3),
            ):
                whole = change(Tensor(batch)).array
                assert whole.dtype == dtype
                for one, result in zip(batch, whole, strict=True):
                    assert np.array_equal(change(Tensor(one)).array, result)


class TestIntoTensors:
    def test_to_tensor(self):
        tensor = transforms.ToTensor()(picture(NOISE))
        assert tensor.dtype == np.float32 and np.array_equal(tensor.array, NOISE / np.float32(255))
        assert transforms.ToTensor()(picture(NOISE[:1])).shape == (1, 12, 10)
        assert np.array_equal(transforms.ToTensor()(NOISE.transpose(1, 2, 0)).array, tensor.array)
        assert transforms.ToTensor()(np.zeros((5, 7))).dtype == np.float64
        ones = transforms.ToTensor()(Image.new("1", (3, 2), 1))
        assert ones.tolist() == [[[1.0] * 3] * 2]
        assert transforms.ToTensor()(Image.new("F", (3, 2), 0.25)).array.max() == 0.25
        with pytest.raises(TypeError, match="should be PIL Image or ndarray, got Tensor"):
            transforms.ToTensor()(tensor)
        with pytest.raises(ValueError, match=r"2 or 3 dimensions, got \(1, 2, 3, 4\)"):
            F.to_tensor(np.zeros((1, 2, 3, 4)))

    def test_there_and_back(self):
        raw = transforms.PILToTensor()(picture(NOISE))
        assert raw.dtype == np.uint8 and np.array_equal(raw.array, NOISE)
        back = transforms.ToPILImage()(transforms.ToTensor()(picture(NOISE)))
        assert back.mode == "RGB" and np.array_equal(pixels(back), NOISE)
        assert transforms.ToPILImage()(raw[:1]).mode == "L"
        floats = transforms.ConvertImageDtype(mc.float32)(raw)
        assert np.array_equal(transforms.ConvertImageDtype(mc.uint8)(floats).array, NOISE)
        assert F.to_dtype(raw, mc.float32).array.max() == NOISE.max()

    def test_normalize(self):
        compose = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
        out = compose(picture(NOISE[:1]))
        np.testing.assert_allclose(out.array, (NOISE[:1] / 255 - 0.1307) / 0.3081, rtol=1e-5, atol=1e-6)
        x = Tensor(pictures(dtype=np.float32))
        assert transforms.Normalize([1, 2, 3], [1, 2, 4], inplace=True)(x) is x
        with pytest.raises(TypeError, match="normalize: expected a Tensor, got Image; ToTensor goes before"):
            transforms.Normalize(0.5, 0.5)(picture(NOISE))
        with pytest.raises(TypeError, match="normalize: expected floats, got uint8"):
            transforms.Normalize(0.5, 0.5)(Tensor(NOISE))
        assert "Normalize(mean=(0.1307,), std=(0.3081,), inplace=False)" in repr(compose)


SIZED = [
    (transforms.Pad((1, 2), 7), (15, 10)),
    (transforms.Resize((5, 6)), (5, 6)),
    (transforms.Resize(4), (5, 4)),
    (transforms.Resize(4, max_size=5), (5, 4)),
    (transforms.CenterCrop(6), (6, 6)),
    (transforms.RandomCrop((6, 5)), (6, 5)),
    (transforms.RandomCrop(12, padding=1, pad_if_needed=True), (12, 12)),
    (transforms.RandomResizedCrop((6, 9)), (6, 9)),
    (transforms.RandomHorizontalFlip(), (11, 8)),
    (transforms.RandomVerticalFlip(), (11, 8)),
    (transforms.RandomRotation(30), (11, 8)),
    (transforms.RandomAffine(30, (0.1, 0.2), (0.8, 1.2), 5), (11, 8)),
    (transforms.RandomAffine((0, 9), shear=(-1, 1, 2, 3), center=(0, 0)), (11, 8)),
    (transforms.ColorJitter(0.4, 0.4, 0.4, 0.1), (11, 8)),
    (transforms.RandomGrayscale(0.5), (11, 8)),
    (transforms.GaussianBlur((3, 5)), (11, 8)),
    (transforms.Grayscale(3), (11, 8)),
    (transforms.RandomApply([transforms.RandomHorizontalFlip()], 0.5), (11, 8)),
]


@pytest.mark.parametrize("transform, size", SIZED, ids=lambda value: type(value).__name__)
def test_every_kind_of_picture_and_batches(transform, size):
    x = pictures()
    for given in (picture(x[0]), Tensor(x[0]), Tensor(x[0] / np.float32(255)), Tensor(x)):
        found = transform(given)
        assert isinstance(found, type(given))
        assert pixels(found).shape[-2:] == size and pixels(found).dtype == pixels(given).dtype
    before = x.copy()
    for batch in (x, x / np.float32(255)):
        found = transform.batch(batch)
        assert found.shape == (9, 3, *size) and found.dtype == batch.dtype
    assert np.array_equal(x, before)


class TestBatches:
    """Each picture of a batch is drawn for by itself, and what happens to it is what happens to one alone."""

    @pytest.mark.parametrize(
        "transform",
        [
            transforms.RandomCrop(6, padding=2, padding_mode="reflect"),
            transforms.RandomResizedCrop((6, 5), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.RandomResizedCrop(7),
            transforms.RandomHorizontalFlip(),
            transforms.RandomVerticalFlip(0.3),
            transforms.RandomRotation((10, 80), fill=3),
            transforms.RandomAffine(40, (0.2, 0.2), (0.5, 2), 20, "bilinear", fill=(1, 2, 3)),
            transforms.ColorJitter(0.5, (0.2, 3), 0.9, 0.5),
            transforms.RandomErasing(0.7, value=(1, 2, 3)),
            transforms.GaussianBlur(5, (0.3, 3)),
        ],
        ids=lambda value: type(value).__name__,
    )
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_as_one_by_one(self, transform, dtype):
        x = pictures(dtype=dtype)
        ready = transform._padded(x) if isinstance(transform, transforms.RandomCrop) else x
        parameters = transform.draw(len(x), *ready.shape[1:])
        together = transform.many(ready, *parameters)
        alone = [
            transform.one(Tensor(p), *(values[i] for values in parameters)).array for i, p in enumerate(ready)
        ]
        if dtype == np.uint8 and isinstance(transform, transforms.RandomResizedCrop):
            # How finely weights are rounded depends on the largest of a batch: a grey level at most.
            np.testing.assert_allclose(together.astype(int), np.stack(alone), rtol=0, atol=1)
        else:
            np.testing.assert_allclose(together, np.stack(alone), rtol=0, atol=3e-6)
        assert len({result.tobytes() for result in alone}) > 1

    def test_random_crop_finds_every_place(self):
        x = np.arange(5 * 4, dtype=np.float32).reshape(1, 1, 5, 4).repeat(400, 0)
        crops = transforms.RandomCrop((4, 2)).batch(x)
        corners = crops[:, 0, 0, 0]
        assert set(corners.tolist()) == {0, 1, 2, 4, 5, 6}
        assert np.array_equal(crops[:, 0, 3, 1], corners + 13)

    def test_flips_are_fair(self):
        x = np.arange(2, dtype=np.float32).reshape(1, 1, 1, 2).repeat(2000, 0)
        for p in (0.0, 0.25, 1.0):
            flipped = transforms.RandomHorizontalFlip(p).batch(x)[:, 0, 0, 0]
            assert flipped.mean() == pytest.approx(p, abs=0.05)

    def test_resized_crops_have_the_asked_area_and_shape(self):
        transform = transforms.RandomResizedCrop(5, scale=(0.2, 0.4), ratio=(0.5, 2))
        top, left, height, width = transform.draw(500, 3, 60, 40)
        assert (top >= 0).all() and (top + height <= 60).all() and (left + width <= 40).all()
        parts = height * width / 2400
        assert 0.18 < parts.min() < 0.22 and 0.38 < parts.max() < 0.42
        assert 0.45 < (width / height).min() < 0.6 and 1.8 < (width / height).max() < 2.2
        impossible = transforms.RandomResizedCrop(5, scale=(1, 1), ratio=(3, 4))
        assert [p.tolist() for p in impossible.draw(1, 3, 60, 40)] == [[23], [0], [13], [40]]

    def test_erasing(self):
        x = np.ones((300, 3, 20, 16), np.float32)
        erased = transforms.RandomErasing(0.5, scale=(0.1, 0.2), value=0).batch(x)
        parts = (erased == 0).mean((1, 2, 3))
        assert (parts > 0).mean() == pytest.approx(0.5, abs=0.1)
        assert parts[parts > 0].min() > 0.05 and parts.max() < 0.25
        noise = transforms.RandomErasing(1, value="random").batch(x)
        hidden = noise[noise != 1]
        assert abs(hidden.mean()) < 0.1 and hidden.std() == pytest.approx(1, abs=0.1)
        with pytest.raises(TypeError, match="ToTensor"):
            F.erase(picture(NOISE), 0, 0, 2, 2, 0)

    def test_pillow_and_batches_of_bytes_agree(self):
        x = pictures(40)
        for transform in (
            transforms.Resize((5, 6)),
            transforms.CenterCrop(9),
            transforms.Pad(2, (1, 2, 3)),
            transforms.Grayscale(),
        ):
            alone = np.stack([pixels(transform(picture(p))) for p in x])
            # Pillow rounds grey levels, and resizes the cheaper side first.
            level = 1 if isinstance(transform, transforms.Grayscale | transforms.Resize) else 0
            np.testing.assert_allclose(transform.batch(x).astype(int), alone, rtol=0, atol=level)
        turn = transforms.RandomRotation((20, 20))
        alone = np.stack([pixels(turn(picture(p))) for p in x])
        assert np.array_equal(turn.batch(x), alone)


class TestChance:
    def test_manual_seed(self):
        transform = transforms.RandomRotation(180)
        mc.manual_seed(4)
        first = [transform(Tensor(NOISE)).tolist() for _ in range(2)]
        mc.manual_seed(4)
        assert first == [transform(Tensor(NOISE)).tolist() for _ in range(2)]
        assert first[0] != first[1]

    def test_a_generator_of_ones_own(self):
        state = mc.manual_seed(1).numpy.bit_generator.state
        with drawing_from(Generator().manual_seed(7)):
            first = transforms.RandomCrop(5)(Tensor(NOISE)).tolist()
        with drawing_from(Generator().manual_seed(7)):
            assert first == transforms.RandomCrop(5)(Tensor(NOISE)).tolist()
        assert mc.manual_seed(1).numpy.bit_generator.state == state

    def test_random_apply(self):
        black = transforms.Lambda(lambda x: x * 0)
        assert transforms.RandomApply([black], 0)(Tensor(NOISE)).array.any()
        assert not transforms.RandomApply([black], 1)(Tensor(NOISE)).array.any()

    def test_get_params(self):
        top, left, height, width = transforms.RandomCrop.get_params(picture(NOISE), (5, 4))
        assert (height, width) == (5, 4) and 0 <= top <= 7 and 0 <= left <= 6
        box = transforms.RandomResizedCrop.get_params(picture(NOISE), (0.5, 1), (1, 1))
        assert box[2] == box[3] <= 10


class TestBatchForm:
    into = (transforms.ToTensor,)

    def test_only_known_steps_before_tensors(self):
        known = [transforms.RandomCrop(5), transforms.ToTensor(), transforms.RandomErasing()]
        assert batch_form(transforms.Compose(known), self.into) is not None
        for steps in (
            [len, *known],
            known[:1],
            known[2:],
            [known[2], *known],
            [*known, transforms.ToTensor()],
        ):
            assert batch_form(transforms.Compose(steps), self.into) is None
        assert batch_form(len, self.into) is None and batch_form(None, self.into) is None

        class Own(transforms.RandomCrop):
            def __call__(self, img):
                return img

        assert batch_form(transforms.Compose([Own(3), transforms.ToTensor()]), self.into) is None

    def test_other_functions_after_tensors(self):
        steps = [transforms.ToTensor(), lambda x: x.repeat(1, 2, 1), transforms.Normalize(0.5, 0.5)]
        x = pictures(2, 1)
        found = batch_form(transforms.Compose([transforms.Compose(steps[:1]), *steps[1:]]), self.into)(x)
        expected = (np.concatenate([x, x], 2) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
        assert np.array_equal(found, expected)
        flat = batch_form(
            transforms.Compose([*steps[:1], lambda x: x.flatten(), lambda x: x + 1]), self.into
        )(x)
        np.testing.assert_allclose(flat.array, x.reshape(2, -1) / 255 + 1, rtol=1e-6)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: transforms.Resize("5"), TypeError, "Resize: size must be an integer"),
        (lambda: transforms.CenterCrop((1, 2, 3)), ValueError, "one or two integers"),
        (lambda: transforms.RandomCrop(0), ValueError, "one or two integers > 0"),
        (lambda: transforms.RandomCrop(30)(picture(NOISE)), ValueError, r"\(30, 30\) is larger than"),
        (lambda: transforms.Pad(1, padding_mode="wrap"), ValueError, "padding_mode must be one of constant"),
        (lambda: transforms.RandomHorizontalFlip(1.5), ValueError, "p must lie in 0..1, got 1.5"),
        (lambda: transforms.RandomRotation(-3), ValueError, "a single number must be >= 0, got -3"),
        (lambda: transforms.RandomRotation((3,)), TypeError, "expected two numbers"),
        (lambda: transforms.RandomAffine(0, (2, 0)), ValueError, "translate must be two numbers in 0..1"),
        (lambda: transforms.RandomAffine(0, scale=(0, 1)), ValueError, "scale must be > 0"),
        (lambda: transforms.ColorJitter(-1), ValueError, "brightness must be >= 0, got -1"),
        (lambda: transforms.ColorJitter(hue=0.6), ValueError, r"lie in -0.5..0.5, got \(-0.6, 0.6\)"),
        (lambda: transforms.Grayscale(2), ValueError, "num_output_channels must be 1 or 3, got 2"),
        (lambda: transforms.RandomErasing(value="noise"), ValueError, "got 'noise'"),
        (lambda: transforms.Compose([3]), TypeError, "Compose: expected functions, got int"),
        (lambda: transforms.Lambda(3), TypeError, "lambd should be callable, got int"),
        (lambda: transforms.Resize(3, "cubic"), ValueError, "interpolation must be one of nearest"),
        (lambda: F.rotate(Tensor(NOISE), 3.0, "bicubic"), ValueError, "one of nearest, bilinear, got"),
        (lambda: F.adjust_hue(Tensor(NOISE), 0.7), ValueError, r"hue_factor 0.7 is not in \[-0.5, 0.5\]"),
        (lambda: F.adjust_contrast(Tensor(NOISE), -1), ValueError, "the factor must be >= 0"),
        (lambda: F.adjust_contrast(Tensor(NOISE[:2]), 1), TypeError, "expected 1 or 3 channels, got 2"),
        (lambda: F.hflip([1]), TypeError, "PIL picture or a Tensor, got list"),
        (lambda: F.pad(Tensor(NOISE), 11, padding_mode="reflect"), RuntimeError, "padding below the"),
        (lambda: F.pad(Tensor(NOISE), 1, fill=[1, 2]), ValueError, "fill has 2 values but .* 3 channels"),
    ],
)  # fmt: skip
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_normalize_wants_a_number_a_channel():
    for picture in (mc.zeros(1, 4, 4), mc.zeros(2, 4, 4)):
        with pytest.raises(ValueError, match=r"mean has 3 values but x has [12] channels"):
            transforms.Normalize((0.5,) * 3, (0.5,) * 3)(picture)

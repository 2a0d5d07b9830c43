"""Data sets, their transforms, and the IDX reader."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from minicnn.data import MNIST, Compose, Dataset, Normalize, Pad, TensorDataset, read_idx
from minicnn.data.transforms import Lambda
from minicnn.tensor import Tensor


def idx_bytes(values: list[int], shape: tuple[int, ...], code: int = 0x08, letter: str = "B") -> bytes:
    header = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)
    return header + struct.pack(f">{len(values)}{letter}", *values)


def write_mnist(folder, images, labels, part="train", shape=None, end=""):
    """Four-file folder of one's own; `images` and `labels` are lists of numbers."""
    pack = gzip.compress if end == ".gz" else bytes
    shape = shape or (len(labels), 2, 3)
    (folder / f"{part}-images-idx3-ubyte{end}").write_bytes(pack(idx_bytes(images, shape)))
    (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(pack(idx_bytes(labels, (len(labels),))))


class TestReadIdx:
    @pytest.mark.parametrize(
        "code, letter, dtype",
        [(8, "B", "u1"), (9, "b", "i1"), (11, "h", "i2"), (12, "i", "i4"), (13, "f", "f4"), (14, "d", "f8")],
    )
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_every_dtype_plain_and_gzip(self, tmp_path, code, letter, dtype, pack):
        path = tmp_path / "anything"
        path.write_bytes(pack(idx_bytes([1, 2, 3, 100, 5, 6], (3, 2), code, letter)))
        array = read_idx(path)
        assert array.dtype == np.dtype(dtype) and array.dtype.isnative
        assert array.tolist() == [[1, 2], [3, 100], [5, 6]]
        array[0, 0] = 7  # the caller's own

    def test_gzip_of_several_members(self, tmp_path):
        content = idx_bytes(list(range(10)), (10,))
        path = tmp_path / "two"
        path.write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]))
        assert read_idx(path).tolist() == list(range(10))

    def test_sum_is_of_the_uncompressed_content(self, tmp_path):
        content = idx_bytes([1, 2], (2,))
        path = tmp_path / "a.gz"
        path.write_bytes(gzip.compress(content))
        total = hashlib.sha256(content).hexdigest()
        assert read_idx(path, total).tolist() == [1, 2]
        assert read_idx(str(path), total.upper()).tolist() == [1, 2]
        with pytest.raises(ValueError, match=f"a.gz.*expected SHA-256 {'0' * 64}, got {total}"):
            read_idx(path, "0" * 64)

    good = idx_bytes(list(range(6)), (2, 3))
    packed = gzip.compress(good, mtime=0)

    @pytest.mark.parametrize(
        "content, message",
        [
            (b"", "too short: expected a 4-byte magic number, got 0"),
            (b"\0\0\x08", "too short: expected a 4-byte magic number, got 3"),
            (b"PNG is not IDX", "not an IDX file.*two zero bytes, got 50 4e 47 20"),
            (b"\0\0\x0a\x01\0\0\0\0", "unknown dtype.*0x08.*got 0x0a"),
            (b"\0\0\x08\0", "expected 1 to 32 dimensions, got 0"),
            (b"\0\0\x08\xff" + b"\0" * 1020, "expected 1 to 32 dimensions, got 255"),
            (good[:10], "too short: expected a header of 12 bytes for 2 dimensions, got 10"),
            (good[:-1], r"too short: expected 18 bytes for uint8 of shape \(2, 3\), got 17"),
            (good + b"x", "trailing bytes: expected 18 .* got 19"),
            (idx_bytes([], (2**32 - 1,) * 3), f"too short: expected {16 + (2**32 - 1) ** 3} bytes"),
            (packed[:-9], "damaged gzip"),
            (packed[:5], "damaged gzip"),
            (packed[:-8] + b"\0\0\0\0" + packed[-4:], "damaged gzip"),
            (packed[:12] + b"\xff\xff" + packed[14:], "damaged gzip"),
            (packed + b"junk", "damaged gzip"),
            (gzip.compress(good[:-2], mtime=0), "too short: expected 18 .* got 16"),
        ],
    )
    def test_bad_content_names_the_file(self, tmp_path, content, message):
        path = tmp_path / "train-images"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            read_idx(path)
        assert str(path) in str(caught.value)

    def test_missing_file_and_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no such file.*nothing"):
            read_idx(tmp_path / "nothing")
        with pytest.raises(ValueError, match="expected an IDX file, got the folder"):
            read_idx(tmp_path)


class TestMnist:
    def test_packaged(self):
        train, test = MNIST(), MNIST(train=False)
        assert train.images.shape == (60000, 28, 28) and test.images.shape == (10000, 28, 28)
        assert train.images.dtype == np.uint8 and train.targets.dtype == np.int64
        # The published class counts and mean pixel.
        counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(train.targets).tolist() == counts
        assert np.bincount(test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert train.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
        assert train.images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
        assert test.targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
        assert len(train.classes) == 10 and train.classes[3] == "3 - three"

    def test_items(self):
        data = MNIST(train=False)
        image, label = data[3]
        assert isinstance(image, Tensor) and image.shape == (1, 28, 28) and image.dtype == np.float32
        assert type(label) is int and label == 0
        assert np.array_equal(image.numpy()[0], data.images[3].astype(np.float32) / 255)
        assert image.numpy().max() <= 1
        assert data[-1][1] == data.targets[9999] and data[np.int64(2)][1] == 1
        for index in (10000, -10001):
            with pytest.raises(IndexError, match=f"index {index} is out of range for 10000"):
                data[index]
        with pytest.raises(TypeError):
            data["3"]

    def test_batches_by_mask_and_slice(self):
        data = MNIST(train=False, transform=Pad(2))
        expected, mask = data.batch(np.array([3, 4, 5])), np.zeros(len(data), bool)
        mask[3:6] = True
        for indices in (mask, slice(3, 6), [3, 4, 5]):
            for got, wanted in zip(data.batch(indices), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)

    def test_transform_of_items_and_batches(self):
        data = MNIST(train=False, transform=Compose([Normalize(0.1307, 0.3081), Pad(2)]))
        indices = np.array([5, 0, 9999])
        images, targets = data.batch(indices)
        assert images.shape == (3, 1, 32, 32) and images.dtype == np.float32
        assert targets.tolist() == data.targets[indices].tolist()
        expected = (data.images[indices] / 255 - 0.1307) / 0.3081
        np.testing.assert_allclose(images[:, 0, 2:-2, 2:-2], expected, rtol=1e-5, atol=1e-6)
        assert not images[..., :2, :].any() and not images[..., -2:].any()
        assert np.array_equal(data[5][0].numpy(), images[0])

    def test_functions_get_whole_batches(self):
        double, seen = Lambda(lambda x: x * 2), []
        for transform in (double, Compose([double]), Compose([lambda x: seen.append(x.shape) or x, double])):
            images, _ = MNIST(train=False, transform=transform).batch(np.array([3, 4]))
            assert images.shape == (2, 1, 28, 28) and images.max() == 2
        assert seen == [(2, 1, 28, 28)]

    def test_transform_that_loses_the_batch(self):
        data = MNIST(train=False, transform=lambda x: x[0])
        with pytest.raises(ValueError, match=r"keep the batch of 2 pictures, got \(1, 28, 28\)"):
            data.batch(np.array([1, 2]))

    @pytest.mark.parametrize("end", ["", ".gz"])
    @pytest.mark.parametrize("part", ["train", "t10k"])
    def test_own_files(self, tmp_path, part, end):
        write_mnist(tmp_path, list(range(12)), [9, 0], part, end=end)
        data = MNIST(train=part == "train", root=tmp_path)
        assert len(data) == 2 and data.targets.tolist() == [9, 0]
        assert data.images[1].tolist() == [[6, 7, 8], [9, 10, 11]]
        assert data[1][0].shape == (1, 2, 3)
        with pytest.raises(FileNotFoundError, match=r"has none of .*-images-idx3-ubyte, .*idx3-ubyte.gz"):
            MNIST(train=part != "train", root=str(tmp_path))

    def test_own_files_under_dotted_names(self, tmp_path):
        write_mnist(tmp_path, list(range(6)), [4])
        for path in list(tmp_path.iterdir()):
            path.rename(tmp_path / path.name.replace("-idx", ".idx"))
        assert MNIST(root=tmp_path).targets.tolist() == [4]

    def test_own_files_may_be_empty(self, tmp_path):
        write_mnist(tmp_path, [], [])
        assert len(MNIST(root=tmp_path)) == 0

    def test_bad_own_files(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no such folder.*nowhere"):
            MNIST(root=tmp_path / "nowhere")
        write_mnist(tmp_path, list(range(12)), [1, 2, 3], shape=(2, 2, 3))
        with pytest.raises(ValueError, match=r"images-idx3-ubyte has 2 pictures, but .*ubyte has 3 labels"):
            MNIST(root=tmp_path)
        write_mnist(tmp_path, list(range(12)), [1, 10])
        with pytest.raises(ValueError, match=r"idx1-ubyte: labels must lie in 0..9, got 10 at index 1"):
            MNIST(root=tmp_path)
        write_mnist(tmp_path, list(range(12)), [1, 2], shape=(2, 6))
        with pytest.raises(ValueError, match=r"must hold uint8 pictures \(N, H, W\), got uint8 \(2, 6\)"):
            MNIST(root=tmp_path)
        write_mnist(tmp_path, list(range(12)), [1, 2])
        labels = tmp_path / "train-labels-idx1-ubyte"
        labels.write_bytes(idx_bytes([1, 2], (2,), 0x0D, "f"))
        with pytest.raises(ValueError, match=r"must hold integer labels \(N,\), got float32 \(2,\)"):
            MNIST(root=tmp_path)
        with pytest.raises(ValueError, match="must be a folder with IDX files, got the file"):
            MNIST(root=labels)

    def test_folder_as_first_argument(self, tmp_path):
        with pytest.raises(TypeError, match=r"train must be True or False, got .*; give a folder as root="):
            MNIST(str(tmp_path))


class TestTransforms:
    x = np.arange(2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2)

    @pytest.mark.parametrize(
        "padding, sides", [(1, (1, 1, 1, 1)), ((2, 1), (2, 1, 2, 1)), ([1, 2, 3, 0], (1, 2, 3, 0))]
    )
    def test_pad(self, padding, sides):
        left, top, right, bottom = sides
        expected = np.pad(self.x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=5)
        padded = Pad(padding, fill=5)(self.x)
        assert np.array_equal(padded, expected) and padded.dtype == np.float32
        assert np.array_equal(Pad(padding, fill=5)(self.x[0]), expected[0])

    def test_normalize_by_channel(self):
        out = Normalize((1, 2, 3), (1, 2, 4))(self.x)
        assert out.dtype == np.float32
        for channel, (mean, std) in enumerate([(1, 1), (2, 2), (3, 4)]):
            assert np.array_equal(out[:, channel], (self.x[:, channel] - mean) / std)

    @pytest.mark.parametrize("padding", [-1, 1.5, (1, 2, 3), (), "2"])
    def test_bad_padding(self, padding):
        with pytest.raises(ValueError, match="Pad: padding must be 1, 2 or 4 integers"):
            Pad(padding)

    def test_bad_normalize(self):
        with pytest.raises(ValueError, match="std must not be 0, got 0"):
            Normalize(0.5, 0)
        with pytest.raises(ValueError, match=r"mean has 2 values but x has 3 channels \(2, 3, 2, 2\)"):
            Normalize((0, 1), (1, 1))(self.x)


def test_a_data_set_may_say_what_it_holds():
    class Numbers(Dataset[int]):
        def __len__(self):
            return 3

    assert isinstance(Numbers(), Dataset) and len(Numbers()) == 3


class TestTensorDataset:
    def test_items_and_batches(self):
        rows = np.array([[0, 0], [1, -1], [2, -2], [3, -3], [4, -4]], np.float32)
        data = TensorDataset(Tensor(rows), Tensor(np.arange(5)))
        assert len(data) == 5
        row, label = data[3]
        assert row.tolist() == [3, -3] and label.tolist() == 3
        rows, labels = data.batch(np.array([4, 1]))
        assert rows.tolist() == [[4, -4], [1, -1]] and labels.tolist() == [4, 1]

    def test_bad_arguments(self):
        with pytest.raises(AssertionError, match=r"agree in their first size, got shapes \(3, 2\), \(4,\)"):
            TensorDataset(Tensor(np.zeros((3, 2))), Tensor(np.zeros(4)))
        with pytest.raises(AssertionError, match=r"got shapes \(\)"):
            TensorDataset(Tensor(np.array(1.0)))
        with pytest.raises(ValueError, match="at least one Tensor"):
            TensorDataset()
        with pytest.raises(TypeError, match="argument 1 must be a Tensor, got ndarray"):
            TensorDataset(Tensor(np.zeros(3)), np.zeros(3))

    def test_dataset_is_abstract(self):
        with pytest.raises(TypeError, match="no len"):
            len(Dataset())
        with pytest.raises(NotImplementedError, match="must define __getitem__"):
            Dataset()[0]

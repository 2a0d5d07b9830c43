"""Data sets with torchvision's names: MNIST, CIFAR-10 from its archives, folders; and parts of them."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

import minicnn as mc
from minicnn.data import ConcatDataset, DataLoader, Subset, TensorDataset, datasets, random_split, transforms
from minicnn.data.datasets import cifar10
from minicnn.tensor import Tensor

TO_TENSOR = transforms.ToTensor()


class TestMnist:
    def test_as_tutorials_write_it(self, tmp_path):
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
        data = datasets.MNIST(tmp_path / "nowhere", train=False, download=True, transform=transform)
        assert len(data) == 10000 and not (tmp_path / "nowhere").exists()
        assert data.data.shape == (10000, 28, 28) and data.data.dtype == mc.uint8
        assert data.targets[:3].tolist() == [7, 2, 1] and data.class_to_idx["7 - seven"] == 7
        image, label = data[3]
        assert image.shape == (1, 28, 28) and image.dtype == mc.float32 and type(label) is int
        images, labels = next(iter(DataLoader(data, batch_size=64)))
        assert images.shape == (64, 1, 28, 28) and labels.dtype == mc.int64
        assert np.array_equal(images[3].array, image.array) and labels[3].item() == label
        assert images.array.mean() == pytest.approx(0, abs=0.1)
        assert repr(data).startswith("Dataset MNIST\n    Number of datapoints: 10000\n    Root location: ")

    def test_items_are_pictures(self):
        data = datasets.MNIST("data", False, None, lambda label: label % 2)
        image, label = data[np.int64(-1)]
        assert isinstance(image, Image.Image) and image.mode == "L" and image.size == (28, 28) and label == 0
        assert np.array_equal(np.asarray(image), data.data[9999].array)
        with pytest.raises(IndexError, match="MNIST: index 10000 is out of range"):
            data[10000]
        with pytest.raises(TypeError, match=r"sample\[0\] must be Tensors.* got Image; give .*ToTensor"):
            next(iter(DataLoader(data)))

    def test_wrong_arguments(self):
        with pytest.raises(TypeError, match="MNIST: root must be the path of a folder, got True"):
            datasets.MNIST(True)
        with pytest.raises(TypeError, match="MNIST: transform must be a function, got 3"):
            datasets.MNIST("data", False, 3)


class TestBatches:
    """What a loader gives is what the items are."""

    @pytest.mark.parametrize(
        "transform",
        [
            TO_TENSOR,
            transforms.Compose([transforms.Pad(2), transforms.PILToTensor()]),
            transforms.Compose([transforms.Resize(14), TO_TENSOR, lambda x: x.flatten()]),
            transforms.Compose([lambda image: image.rotate(90), TO_TENSOR]),
            transforms.Compose([TO_TENSOR, lambda x: x.repeat(3, 1, 1), transforms.Normalize(0.5, 0.5)]),
            lambda image: np.asarray(image)[::2],
            lambda image: (TO_TENSOR(image), image.width),
        ],
    )
    @pytest.mark.parametrize("target", [None, lambda label: label * 10.0])
    def test_items_and_batches(self, transform, target):
        data = datasets.MNIST("data", False, transform, target)
        data.data, data.targets = data.data[:50], data.targets[:50]
        chosen = [3, 49, 0]
        ((pictures, labels),) = DataLoader(Subset(data, chosen), 3)
        items = [data[i] for i in chosen]
        assert labels.tolist() == [label for _, label in items]
        for found, (picture, _) in zip(zip(*pictures) if isinstance(pictures, list) else pictures, items):  # noqa: B905
            for a, b in zip(found, picture, strict=True) if isinstance(found, tuple) else [(found, picture)]:
                np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=1e-6)

    def test_random_numbers_are_of_each_picture_and_of_the_seed(self):
        transform = transforms.Compose([transforms.RandomCrop(28, padding=4), TO_TENSOR])
        data = datasets.MNIST("data", False, transform)
        same = Subset(data, [0] * 100)
        loader = DataLoader(same, 50)
        mc.manual_seed(1)
        first, second = (np.concatenate([images.array for images, _ in loader]) for _ in range(2))
        mc.manual_seed(1)
        again = np.concatenate([images.array for images, _ in loader])
        assert np.array_equal(first, again) and not np.array_equal(first, second)
        assert len({picture.tobytes() for picture in first}) > 40

    def test_training_and_loading_do_not_race_for_numbers(self):
        transform = transforms.Compose(
            [transforms.RandomRotation(9), transforms.Lambda(lambda x: x), TO_TENSOR]
        )
        data = Subset(datasets.MNIST("data", False, transform), range(60))
        runs = []
        for _ in range(2):
            mc.manual_seed(2)
            run = [(images.tolist(), mc.rand(1).item()) for images, _ in DataLoader(data, 5, shuffle=True)]
            runs.append(run)
        assert runs[0] == runs[1]


def records(count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 3072), np.uint8), generator.integers(0, 10, count).tolist()


NAMES = [*cifar10.TRAIN, *cifar10.TEST]
PARTS = {name: records(4, place) for place, name in enumerate(NAMES)}


def binary() -> dict[str, bytes]:
    return {
        f"{name}.bin": np.column_stack([np.array(labels, np.uint8), pixels]).tobytes()
        for name, (pixels, labels) in PARTS.items()
    }


def pickled(protocol: int, keys: type = bytes) -> dict[str, bytes]:
    def key(text):
        return text.encode() if keys is bytes else text

    return {
        name: pickle.dumps(
            {
                key("batch_label"): b"a batch",
                key("labels"): labels,
                key("data"): pixels,
                key("filenames"): ["a.png"],
            },
            protocol=protocol,
        )
        for name, (pixels, labels) in PARTS.items()
    }


def python2() -> dict[str, bytes]:
    """The bytes that Python 2's cPickle wrote, as in the published archive: str is SHORT_BINSTRING."""

    def text(s: bytes) -> bytes:
        return b"U" + bytes([len(s)]) + s

    def numbers(values: list[int]) -> bytes:
        return b"].(" + b"".join(b"K" + bytes([v]) for v in values) + b"e"

    files = {}
    for name, (pixels, labels) in PARTS.items():
        array = (
            b"cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85U\x01b\x87Rq\x08"
            b"(K\x01K\x04M\x00\x0c\x86cnumpy\ndtype\nq\x09U\x02u1K\x00K\x01\x87Rq\x0a"
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
            + len(pixels.tobytes()).to_bytes(4, "little") + pixels.tobytes() + b"tb"
        )  # fmt: skip
        content = b"\x80\x02}q\x01(" + text(b"batch_label") + text(b"training batch 1 of 5")
        content += text(b"labels") + numbers(labels).replace(b"].", b"]q\x05") + text(b"data") + array + b"u."
        files[name] = content
    return files


def write(folder, files: dict[str, bytes]):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def archive(path, files: dict[str, bytes], folder: str):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def check_cifar(root):
    train, test = datasets.CIFAR10(root, download=True), datasets.CIFAR10(root, train=False)
    assert len(train) == 20 and len(test) == 4
    assert train.data.shape == (20, 32, 32, 3) and train.data.dtype == np.uint8
    assert train.targets == [label for name in cifar10.TRAIN for label in PARTS[name][1]]
    pixels, labels = PARTS["data_batch_2"]
    image, label = train[5]
    assert image.mode == "RGB" and image.size == (32, 32) and label == labels[1]
    assert np.array_equal(np.asarray(image).transpose(2, 0, 1).ravel(), pixels[1])
    assert test.targets == PARTS["test_batch"][1]


class TestCifar:
    @pytest.mark.parametrize(
        "files",
        [binary(), python2(), pickled(0), pickled(2), pickled(4), pickled(5, str)],
        ids=lambda _: "files",
    )
    def test_folders_and_archives(self, tmp_path, files):
        folder = "cifar-10-batches-bin" if "test_batch.bin" in files else "cifar-10-batches-py"
        check_cifar(write(tmp_path / "flat", files))
        check_cifar(write(tmp_path / "deep" / folder, files).parent)
        published = "cifar-10-binary.tar.gz" if folder.endswith("bin") else "cifar-10-python.tar.gz"
        for place, name in enumerate((published, f"{folder}.tar.gz")):
            root = tmp_path / f"packed{place}"
            root.mkdir()
            path = archive(root / name, files, folder)
            check_cifar(root)
            check_cifar(path)
            assert list(root.iterdir()) == [path]  # nothing is unpacked

    def test_batches(self, tmp_path):
        transform = transforms.Compose([TO_TENSOR, transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
        data = datasets.CIFAR10(write(tmp_path, binary()), True, transform)
        assert data.classes[3] == "cat" and data.class_to_idx["truck"] == 9
        ((images, labels),) = DataLoader(data, 20)
        assert images.shape == (20, 3, 32, 32) and labels.tolist() == data.targets
        assert images.array.flags.c_contiguous
        for i in (0, 19):
            assert np.array_equal(images[i].array, data[i][0].array)
        np.testing.assert_allclose(
            images[0, 2, 31, 30].item(), PARTS["data_batch_1"][0][0, -2] / 127.5 - 1, 1e-5
        )

    def test_what_is_missing_is_told(self, tmp_path):
        with pytest.raises(RuntimeError, match=r"not found in .*fetches nothing.*get cifar-10-binary.tar.gz"):
            datasets.CIFAR10(tmp_path / "nowhere", download=True)
        write(tmp_path, binary())
        (tmp_path / "data_batch_4.bin").unlink()
        with pytest.raises(RuntimeError, match=r"not complete, it has no data_batch_4.bin"):
            datasets.CIFAR10(tmp_path)

    @pytest.mark.parametrize(
        "name, content, message",
        [
            ("test_batch.bin", b"x" * 3072, "records of 3073 bytes, got 3072"),
            ("test_batch.bin", b"\x0a" + bytes(3072), r"labels must lie in 0\.\.9, got 10"),
            ("test_batch", b"not a pickle", "test_batch: pickle is"),
            ("test_batch", pickle.dumps([1]), r"must hold data, uint8 \(N, 3072\), got NoneType"),
            (
                "test_batch",
                pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}),
                "hold 2 labels",
            ),
            ("test_batch", pickle.dumps({"data": np.zeros((2, 3072)), "labels": [1, 2]}), "got float64"),
        ],
    )
    def test_damaged_files(self, tmp_path, name, content, message):
        write(tmp_path, {name: content})
        with pytest.raises(RuntimeError, match=message):
            datasets.CIFAR10(tmp_path, train=False)

    def test_damaged_archives(self, tmp_path, monkeypatch):
        path = archive(tmp_path / "cifar-10-binary.tar.gz", binary(), "x")
        content = path.read_bytes()
        path.write_bytes(content[:-2000])
        with pytest.raises(RuntimeError, match=r"binary.tar.gz is a damaged archive"):
            datasets.CIFAR10(tmp_path)
        path.write_bytes(content)
        monkeypatch.setitem(cifar10.ARCHIVES, path.name, (len(content), "0" * 64))
        with pytest.raises(RuntimeError, match=f"damaged: expected SHA-256 {'0' * 64}, got"):
            datasets.CIFAR10(tmp_path)


class TestImageFolder:
    @staticmethod
    def fill(root, sizes=((7, 5), (7, 5))):
        for place, name in enumerate(("dog", "cat")):
            (root / name / "deeper").mkdir(parents=True)
            for number, size in enumerate(sizes):
                image = Image.new("RGB", size, (place * 100, number, 9))
                image.save(root / name / ("deeper" if number else "") / f"{number}.PNG")
            (root / name / "notes.txt").write_text("no picture")
        (root / "file.png").write_text("not in a class")

    def test_classes_and_samples(self, tmp_path):
        self.fill(tmp_path)
        data = datasets.ImageFolder(str(tmp_path), transform=TO_TENSOR)
        assert data.classes == ["cat", "dog"] and data.class_to_idx == {"cat": 0, "dog": 1}
        assert [label for _, label in data.samples] == data.targets == [
            0,
            0,
            1,
            1,
        ] and data.imgs is data.samples
        assert data.samples[0][0].endswith("0.PNG") and len(data) == 4
        ((images, labels),) = DataLoader(data, 4)
        assert images.shape == (4, 3, 5, 7) and labels.tolist() == [0, 0, 1, 1]
        np.testing.assert_allclose(images[:, 0, 0, 0].array * 255, [100, 100, 0, 0], rtol=1e-6)
        plain = datasets.ImageFolder(tmp_path, target_transform=str)
        assert plain[3][0].mode == "RGB" and plain[3][1] == "1"

    def test_choices_of_files(self, tmp_path):
        self.fill(tmp_path)
        data = datasets.ImageFolder(
            tmp_path, loader=len, is_valid_file=lambda path: path.endswith("notes.txt")
        )
        assert len(data) == 2 and data[0][0] == len(data.samples[0][0])

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere"):
            datasets.ImageFolder(tmp_path / "nowhere")
        with pytest.raises(FileNotFoundError, match="couldn't find any class folder"):
            datasets.ImageFolder(tmp_path)
        self.fill(tmp_path)
        (tmp_path / "empty").mkdir()
        with pytest.raises(FileNotFoundError, match=r"no pictures for the classes empty in .*\.jpg"):
            datasets.ImageFolder(tmp_path)
        assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 4


class TestParts:
    data = TensorDataset(Tensor(np.arange(10) * 10), Tensor(np.arange(10)))

    def test_subset(self):
        part = Subset(self.data, [7, 2, 5])
        assert len(part) == 3 and part[1][0].item() == 20 and part[-1][1].item() == 5
        for indices in ([7, 2, 5], np.array([7, 2, 5]), Tensor(np.array([7, 2, 5]))):
            ((tens, ones),) = DataLoader(Subset(self.data, indices), 3)
            assert tens.tolist() == [70, 20, 50] and ones.tolist() == [7, 2, 5]
        ((tens, _),) = DataLoader(Subset(part, [2, 0]), 2)
        assert tens.tolist() == [50, 70]
        assert [x.item() for x in DataLoader(Subset(list(range(5)), [4, 1]))] == [4, 1]

    def test_random_split(self):
        mc.manual_seed(3)
        train, test = random_split(self.data, [7, 3])
        assert sorted([*train.indices, *test.indices]) == list(range(10)) and len(train) == 7
        mc.manual_seed(3)
        assert random_split(self.data, [7, 3])[0].indices == train.indices
        ours = [
            random_split(self.data, [0.55, 0.45], generator=mc.Generator().manual_seed(42)) for _ in range(2)
        ]
        assert [len(part) for part in ours[0]] == [6, 4] and ours[0][0].indices == ours[1][0].indices
        with pytest.raises(ValueError, match=r"add up to the data set's 10 samples, got \[7, 2\], sum 9"):
            random_split(self.data, [7, 2])
        with pytest.raises(ValueError, match="fractions must lie in"):
            random_split(self.data, [1.5, -0.5])

    def test_concat(self):
        both = Subset(self.data, [1, 2]) + ConcatDataset([self.data])
        assert len(both) == 12 and both.cumulative_sizes == [2, 12]
        assert [both[i][1].item() for i in (0, 1, 2, 11, -1, -12)] == [1, 2, 0, 9, 9, 1]
        assert [ones.tolist() for _, ones in DataLoader(both, 6)] == [[1, 2, 0, 1, 2, 3], [4, 5, 6, 7, 8, 9]]
        with pytest.raises(IndexError, match="ConcatDataset: index 12 is out of range for 12"):
            both[12]
        with pytest.raises(ValueError, match="at least one data set"):
            ConcatDataset([])

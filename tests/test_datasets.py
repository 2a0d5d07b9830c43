"""Data sets with torchvision's names: MNIST and those like it, folders; and parts of them."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

import minicnn as mc
from minicnn.data import ConcatDataset, DataLoader, Subset, TensorDataset, datasets, random_split, transforms
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


class TestLikeMnist:
    """FashionMNIST and KMNIST, from files as published."""

    @staticmethod
    def write(folder, part, end, images, labels):
        folder.mkdir(parents=True, exist_ok=True)
        pack = gzip.compress if end else bytes
        header = struct.pack(">HBBIII", 0, 8, 3, *images.shape)
        (folder / f"{part}-images-idx3-ubyte{end}").write_bytes(pack(header + images.tobytes()))
        (folder / f"{part}-labels-idx1-ubyte{end}").write_bytes(
            pack(struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels))
        )

    @pytest.mark.parametrize("end", ["", ".gz"])
    @pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST"])
    def test_where_torchvision_keeps_them_and_in_the_folder_itself(self, tmp_path, name, end):
        images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
        for folder in (tmp_path / "deep" / name / "raw", tmp_path / "flat"):
            self.write(folder, "train", end, images, [9, 0, 3, 3, 1])
            self.write(folder, "t10k", end, images[:2], [7, 8])
        for root in (tmp_path / "deep", tmp_path / "flat"):
            train = getattr(datasets, name)(str(root), train=True, download=True, transform=TO_TENSOR)
            test = getattr(datasets, name)(root, False)
            assert np.array_equal(train.data.array, images) and train.targets.tolist() == [9, 0, 3, 3, 1]
            assert test[1][1] == 8 and np.array_equal(np.asarray(test[1][0]), images[1])
            ((pictures, labels),) = DataLoader(train, 5)
            assert np.array_equal(pictures.array[:, 0], images / np.float32(255)) and labels[0].item() == 9

    def test_classes(self, tmp_path):
        self.write(tmp_path, "train", "", np.zeros((1, 28, 28), np.uint8), [0])
        fashion, letters = datasets.FashionMNIST(tmp_path), datasets.KMNIST(tmp_path)
        assert len(fashion.classes) == len(letters.classes) == 10
        assert fashion.class_to_idx["Ankle boot"] == 9 and letters.classes[0] == "o"

    def test_what_is_missing_or_damaged_is_told(self, tmp_path):
        with pytest.raises(
            RuntimeError, match=r"KMNIST: no such folder: .*; minicnn fetches nothing .*KMNIST/raw"
        ):
            datasets.KMNIST(tmp_path / "nowhere", download=True)
        with pytest.raises(
            RuntimeError, match=r"FashionMNIST: .* has none of train-images.* get the four files"
        ):
            datasets.FashionMNIST(tmp_path)
        self.write(tmp_path, "train", "", np.zeros((1, 28, 28), np.uint8), [10])
        with pytest.raises(RuntimeError, match=r"FashionMNIST: .* labels must lie in 0\.\.9, got 10"):
            datasets.FashionMNIST(tmp_path)


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

    @pytest.mark.parametrize("hold", [list, tuple, np.asarray, mc.tensor, lambda t: np.asarray(t, np.uint8)])
    def test_labels_are_held_as_one_likes(self, hold):
        data = datasets.MNIST("data", False, TO_TENSOR)
        data.targets = hold(data.targets.tolist())
        ((_, labels),) = DataLoader(Subset(data, [3, 49, 0, 9999]), 4)
        assert labels.dtype == mc.int64 and labels.tolist() == [0, 4, 7, 6]
        data.target_transform = lambda label: (label, type(label) is int)
        ((_, (labels, whole)),) = DataLoader(Subset(data, [3, 49]), 2)
        assert labels.tolist() == [0, 4] and whole.all()

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
        with pytest.raises(AssertionError, match="at least one data set"):
            ConcatDataset([])

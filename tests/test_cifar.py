"""CIFAR-10 and CIFAR-100 from the files as published, made here with random pictures."""

import io
import pickle
import tarfile

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn.data import DataLoader, datasets, transforms
from minicnn.data.datasets import CIFAR10
from twins import twins

TO_TENSOR = transforms.ToTensor()


def records(count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 3072), np.uint8), generator.integers(0, 10, count).tolist()


NAMES = [*CIFAR10.files[True], *CIFAR10.files[False]]
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
    assert train.targets == [label for name in CIFAR10.files[True] for label in PARTS[name][1]]
    pixels, labels = PARTS["data_batch_2"]
    image, label = train[5]
    assert image.mode == "RGB" and image.size == (32, 32) and label == labels[1]
    assert np.array_equal(np.asarray(image).transpose(2, 0, 1).ravel(), pixels[1])
    assert test.targets == PARTS["test_batch"][1]


@pytest.mark.parametrize(
    "files",
    [binary(), python2(), pickled(0), pickled(2), pickled(4), pickled(5, str)],
    ids=lambda _: "files",
)
def test_folders_and_archives(tmp_path, files):
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


def test_batches(tmp_path):
    transform = transforms.Compose([TO_TENSOR, transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
    data = datasets.CIFAR10(write(tmp_path, binary()), True, transform)
    assert data.classes[3] == "cat" and data.class_to_idx["truck"] == 9
    ((images, labels),) = DataLoader(data, 20)
    assert images.shape == (20, 3, 32, 32) and labels.tolist() == data.targets
    assert images.array.flags.c_contiguous
    for i in (0, 19):
        assert np.array_equal(images[i].array, data[i][0].array)
    np.testing.assert_allclose(images[0, 2, 31, 30].item(), PARTS["data_batch_1"][0][0, -2] / 127.5 - 1, 1e-5)


def test_what_is_missing_is_told(tmp_path):
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
def test_damaged_files(tmp_path, name, content, message):
    write(tmp_path, {name: content})
    with pytest.raises(RuntimeError, match=message):
        datasets.CIFAR10(tmp_path, train=False)


def test_damaged_archives(tmp_path, monkeypatch):
    path = archive(tmp_path / "cifar-10-binary.tar.gz", binary(), "x")
    content = path.read_bytes()
    path.write_bytes(content[:-2000])
    with pytest.raises(RuntimeError, match=r"binary.tar.gz is a damaged archive"):
        datasets.CIFAR10(tmp_path)
    path.write_bytes(content)
    monkeypatch.setitem(CIFAR10.archives, path.name, (len(content), "0" * 64))
    with pytest.raises(RuntimeError, match=f"damaged: expected SHA-256 {'0' * 64}, got"):
        datasets.CIFAR10(tmp_path)


# CIFAR-100: each picture has a coarse label and a fine one, which is the target

COARSE, FINE = [19, 0, 5], [99, 0, 42]
HUNDRED = {name: records(3, place)[0] for place, name in enumerate(("train", "test"))}


def hundred(kind: str) -> dict[str, bytes]:
    if kind == "binary":
        return {
            f"{name}.bin": np.column_stack([np.array([COARSE, FINE], np.uint8).T, pixels]).tobytes()
            for name, pixels in HUNDRED.items()
        }
    return {
        name: pickle.dumps({b"data": pixels, b"coarse_labels": COARSE, b"fine_labels": FINE}, 2)
        for name, pixels in HUNDRED.items()
    }


@pytest.mark.parametrize("kind", ["binary", "python"])
def test_cifar100(tmp_path, kind):
    folder = f"cifar-100-{kind}"
    (tmp_path / "packed").mkdir()
    archive(tmp_path / "packed" / f"{folder}.tar.gz", hundred(kind), folder)
    for root in (write(tmp_path / "deep" / folder, hundred(kind)).parent, tmp_path / "packed"):
        for train, pixels in ((True, HUNDRED["train"]), (False, HUNDRED["test"])):
            data = datasets.CIFAR100(root, train=train)
            assert data.targets == FINE and len(data) == 3
            assert np.array_equal(data.data.transpose(0, 3, 1, 2).reshape(3, -1), pixels)
    assert len(data.classes) == 100 and data.classes == sorted(data.classes)
    assert [data.classes[label] for label in FINE] == ["worm", "apple", "leopard"]


def test_cifar100_is_not_cifar10(tmp_path):
    with pytest.raises(RuntimeError, match=r"CIFAR100: Dataset not found .*get cifar-100-binary\.tar\.gz or"):
        datasets.CIFAR100(tmp_path)
    write(tmp_path, {"test.bin": binary()["test_batch.bin"]})
    with pytest.raises(RuntimeError, match=r"CIFAR100: .*records of 3074 bytes"):
        datasets.CIFAR100(tmp_path, train=False)
    write(tmp_path, {"test": pickled(2)["test_batch"], "test.bin": b""})
    with pytest.raises(RuntimeError, match=r"must hold 4 fine_labels, got NoneType"):
        datasets.CIFAR100(tmp_path, train=False)


# The tutorial's run: SimpleCNN, SGD 0.01 with momentum 0.9, batches of 64, normalised by 0.5


def patterned(count: int, seed: int) -> bytes:
    """Records of noise over a pattern for each class, so that there is something to learn."""
    generator = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).integers(0, 256, (10, 3072))
    labels = generator.integers(0, 10, count)
    pixels = (3 * patterns[labels] + generator.integers(0, 256, (count, 3072))) // 4
    return np.column_stack([labels, pixels]).astype(np.uint8).tobytes()


def by_torch(root, files: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and labels as PyTorch takes them, read from the bytes here."""
    content = b"".join((root / f"{name}.bin").read_bytes() for name in files)
    rows = torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(-1, 3073)
    return (rows[:, 1:].reshape(-1, 3, 32, 32) / 255 - 0.5) / 0.5, rows[:, 0].long()


def test_the_tutorials_run_follows_pytorch(tmp_path):
    write(tmp_path, {f"{name}.bin": patterned(128, place) for place, name in enumerate(NAMES)})
    transform = transforms.Compose([TO_TENSOR, transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
    order = np.random.default_rng(1).permutation(640).tolist() * 2  # two epochs
    data = datasets.CIFAR10(tmp_path, train=True, download=True, transform=transform)
    ours, theirs = twins("simplecnn_cifar")
    losses = []
    optimizer = mc.optim.SGD(ours.parameters(), lr=0.01, momentum=0.9)
    for images, labels in DataLoader(data, batch_size=64, sampler=order, num_workers=2):
        optimizer.zero_grad()
        loss = mc.nn.CrossEntropyLoss()(ours(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    expected = []
    images, labels = by_torch(tmp_path, NAMES[:-1])
    steps = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.9)
    for chosen in torch.tensor(order).split(64):
        steps.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(theirs(images[chosen]), labels[chosen])
        loss.backward()
        steps.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert expected[-1] < expected[0] - 0.05

    images, labels = by_torch(tmp_path, NAMES[-1:])
    with torch.no_grad():
        right = (theirs(images).argmax(1) == labels).sum().item()
    (batch,) = DataLoader(datasets.CIFAR10(tmp_path, train=False, transform=transform), batch_size=128)
    with mc.no_grad():
        found = (ours(batch[0]).argmax(1) == batch[1]).sum().item()
    assert right > 30 and abs(found - right) <= 1  # of 128

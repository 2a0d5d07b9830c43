"""Weight files: what is in them, who else reads them, and what becomes of them when something goes wrong."""

import errno
import io
import json
import os
import struct

import numpy as np
import pytest
import torch
from safetensors import torch as safetensors_torch

from minicnn.interop import load_file, save_file
from minicnn.interop.atomic import write_files
from minicnn.tensor import Tensor, tensor

ARRAYS = {
    "conv.weight": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 2, 2),
    "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "every.other": np.arange(10, dtype=np.int64)[::2],
    "steps": np.array(7, np.int64),
    "nobody": np.zeros((0, 3), np.float32),
    "mask": np.array([True, False, True]),
}


@pytest.fixture
def weights():
    return {name: Tensor(array) for name, array in ARRAYS.items()}


def test_file_is_what_the_format_says(tmp_path, weights):
    path = tmp_path / "model.safetensors"
    save_file(weights, path)
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    assert set(header) - {"__metadata__"} == set(ARRAYS)
    for name, array in ARRAYS.items():
        start, end = header[name]["data_offsets"]
        values = np.frombuffer(content[8 + length + start : 8 + length + end], array.dtype)
        assert header[name]["shape"] == list(array.shape)
        np.testing.assert_array_equal(values.reshape(array.shape), array)


def test_pytorch_reads_it_and_writes_it(tmp_path, weights):
    save_file(weights, tmp_path / "ours")
    for name, value in safetensors_torch.load_file(tmp_path / "ours").items():
        np.testing.assert_array_equal(value.numpy(), ARRAYS[name])
    theirs = {"weight": torch.randn(3, 4), "count": torch.tensor(5)}
    safetensors_torch.save_file(theirs, tmp_path / "theirs")
    loaded = load_file(tmp_path / "theirs")
    assert set(loaded) == {"weight", "count"}
    for name, value in loaded.items():
        assert value.dtype == theirs[name].numpy().dtype
        np.testing.assert_array_equal(value.array, theirs[name].numpy())


def test_loaded_tensors_can_be_written_to(tmp_path, weights):
    save_file(weights, tmp_path / "file")
    for name, value in load_file(tmp_path / "file").items():
        value.array[...] = 1
        assert (value.array == 1).all(), name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([tensor([1.0])], "got list"),
        ({"state": {0: tensor([1.0])}}, "'state': dict"),
        ({3: tensor([1.0])}, "3: Tensor"),
        ({"z": np.array([1j])}, "complex128"),
    ],
)
def test_only_names_and_tensors_are_saved(tmp_path, wrong, said):
    with pytest.raises(TypeError, match=said):
        save_file(wrong, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def good_file():
    return safetensors_torch.save({"a": torch.arange(100)})


def zip_of_pytorch():
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(3)}, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        good_file()[:-1],
        good_file()[:20],
        good_file() + b"x",
        b"\xff" * 100,
        struct.pack("<Q", 2) + b"[]",
        good_file().replace(b"I64", b"X64"),
        safetensors_torch.save({"a": torch.zeros(2, dtype=torch.bfloat16)}),
        zip_of_pytorch(),
    ],
)
def test_foreign_and_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "some.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"some\.safetensors") as caught:
        load_file(path)
    assert ("minicnn.load reads those" in str(caught.value)) == content.startswith(b"PK")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_file(tmp_path / "nowhere")
    with pytest.raises(OSError, match=tmp_path.name):
        load_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="model"):
        save_file({}, tmp_path / "no folder" / "model")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_full_disk_or_interrupt_leaves_the_earlier_file(tmp_path, monkeypatch, weights, failure):
    path = tmp_path / "model.safetensors"
    save_file({"earlier": tensor([1.0])}, path)
    before = path.read_bytes()

    def fail(file):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(failure)) as caught:
        save_file(weights, path)
    if isinstance(failure, OSError):
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_takes_no_more_bytes(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "model.safetensors"
    save_file({"earlier": tensor([1.0])}, path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match="nothing was changed"):
            save_file({"large": Tensor(np.zeros(10_000, np.float32))}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_several_files_are_replaced_together_or_not_at_all(tmp_path):
    write_files({tmp_path / "a": b"1", tmp_path / "b": b"1"})
    (tmp_path / "c").mkdir()
    with pytest.raises(IsADirectoryError, match="c'"):
        write_files({tmp_path / "a": b"2", tmp_path / "b": b"2", tmp_path / "c": b"2"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"1"
    write_files({tmp_path / "a": b"2", tmp_path / "b": b"3"})
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"2", b"3"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to("real")
    write_files({tmp_path / "link": b"2"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"


def test_only_regular_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        write_files({tmp_path / "pipe": b"1"})
    assert (tmp_path / "pipe").is_fifo()


def test_permissions_stay(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"1")
    path.chmod(0o600)
    write_files({path: b"2"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"2"


def test_a_refused_replacement_names_the_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match=r"cannot put the finished file in its place.*weights'"):
        write_files({tmp_path / "weights": b"1"})
    assert list(tmp_path.iterdir()) == []

"""Files that torch.save wrote, read without running anything in them."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch

import minicnn as mc
from minicnn.interop.pytorch import OLD


def saved(value, **settings) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.save(value, buffer, **settings)
    buffer.seek(0)
    return buffer


def assert_same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, mc.Tensor) and ours.requires_grad == theirs.requires_grad
        assert ours.array.dtype == theirs.detach().numpy().dtype and ours.array.flags.writeable
        np.testing.assert_array_equal(ours.array, theirs.detach().numpy())
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            assert_same(*pair)
    else:
        assert type(ours) is type(theirs) and ours == theirs


def network(m):
    return m.nn.Sequential(m.nn.Conv2d(3, 4, 3), m.nn.BatchNorm2d(4), m.nn.Flatten(), m.nn.Linear(16, 2))


def trained():
    model = network(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        (model(torch.randn(5, 3, 4, 4)) ** 2).mean().backward()
        optimizer.step()
    return model, optimizer


def test_pretrained_weights(tmp_path):
    theirs, _ = trained()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = network(mc)
    ours.load_state_dict(mc.load(tmp_path / "weights.pth", map_location="cpu", weights_only=True))
    x = torch.randn(2, 3, 4, 4)
    expected = theirs.eval()(x).detach().numpy()
    np.testing.assert_allclose(ours.eval()(mc.tensor(x.numpy())).detach().numpy(), expected, rtol=1e-5)


def test_a_checkpoint_goes_on_where_pytorch_stopped(tmp_path):
    theirs, optimizer = trained()
    checkpoint = {
        "epoch": 3, "loss": np.float64(0.25), "name": "net", "best": None, "classes": ["a", "b"],
        "model_state_dict": theirs.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
        "size": torch.Size([3, 4]), "device": "cpu",
    }  # fmt: skip
    torch.save(checkpoint, tmp_path / "checkpoint.tar")
    read = mc.load(str(tmp_path / "checkpoint.tar"))
    assert_same(read, checkpoint)
    ours = network(mc)
    ours.load_state_dict(read["model_state_dict"])
    mine = mc.optim.SGD(ours.parameters(), lr=1.0)
    mine.load_state_dict(read["optimizer_state_dict"])
    x = torch.randn(5, 3, 4, 4)
    for model, steps, pictures in ((theirs, optimizer, x), (ours, mine, mc.tensor(x.numpy()))):
        steps.zero_grad()
        (model(pictures) ** 2).mean().backward()
        steps.step()
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy(), rtol=1e-4, atol=1e-6)


def shared():
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "all": base,
        "turned": base.T,
        "part": base[1:3, ::2],
        "row": base[3],
        "wide": base[:1, :1].expand(2, 5),
    }


@pytest.mark.parametrize(
    "value",
    [
        shared(),
        [torch.zeros(0, 3), torch.tensor(5), torch.tensor(True), torch.empty(2, 0)],
        {
            str(kind): torch.ones(3, 2, dtype=getattr(torch, kind))
            for kind in ("float64", "int32", "int16", "int8")
        },
        [torch.tensor([1, 255], dtype=torch.uint8), torch.tensor([False, True])],
        (torch.ones(2, requires_grad=True), torch.nn.Parameter(torch.zeros(1)), {1: (2.5, "x")}),
        np.arange(6).reshape(2, 3).tolist(),
        torch.randn(3),
    ],
    ids=["views", "odd", "dtypes", "bytes", "parameters", "list", "tensor"],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_went_in_comes_out(value, protocol):
    assert_same(mc.load(saved(value, pickle_protocol=protocol)), value)


def test_views_do_not_share_memory():
    read = mc.load(saved(shared()))
    read["all"].array[...] = -1
    assert (read["part"].array >= 0).all()


class Evil:
    def __reduce__(self):
        return print, ("it ran",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.nn.Linear(2, 3), r"asks for torch\.nn\.\S*Linear, .* save model\.state_dict\(\)"),
        ({"a": Evil()}, "asks for __builtin__.print"),
        (torch.ones(2, dtype=torch.float16), "it holds float16 numbers"),
        ({"w": torch.ones(2, dtype=torch.bfloat16)}, r"it holds bfloat16 numbers.* float\(\)"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "asks for torch.ComplexFloatStorage"),
        ({1, 2}, "cannot be read"),
    ],
)
def test_what_is_refused(tmp_path, capsys, value, message):
    (tmp_path / "some.pt").write_bytes(saved(value).getvalue())
    with pytest.raises(ValueError, match=rf"some\.pt cannot be read .*{message}|some\.pt .*{message}"):
        mc.load(tmp_path / "some.pt")
    assert capsys.readouterr().out == ""


def old(value) -> bytes:
    """As PyTorch saved before version 1.6."""
    return saved(value, _use_new_zipfile_serialization=False).getvalue()


def test_old_files():
    theirs, optimizer = trained()
    for value in (
        shared(),
        theirs.state_dict(),
        optimizer.state_dict(),
        [torch.zeros(0, 3), torch.tensor(5)],
    ):
        assert_same(mc.load(io.BytesIO(old(value))), value)


class First:
    """A tensor as the first versions of PyTorch saved it, by a function with fewer arguments."""

    def __reduce__(self):
        numbers = torch.arange(6.0)
        storage = torch.storage.TypedStorage(
            wrap_storage=numbers.untyped_storage(), dtype=numbers.dtype, _internal=True
        )
        return torch._utils._rebuild_tensor, (storage, 1, (2, 2), (2, 1))


def test_files_of_the_first_versions():
    read = mc.load(io.BytesIO(old({"w": First()})))["w"]
    assert read.tolist() == [[1, 2], [3, 4]] and not read.requires_grad


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (old({"a": Evil()}), "asks for __builtin__.print"),
        (old(torch.nn.Linear(2, 3)), r"asks for torch\.nn\.\S*Linear"),
        (old(torch.ones(2, dtype=torch.float16)), "it holds float16 numbers"),
        (old(torch.ones(4))[:-1], "buffer is smaller"),
        (old(torch.ones(4))[:-20], "cannot be read"),
        (old(torch.ones(4))[:40], "cannot be read"),
        (old(torch.ones(4))[:-24] + b"\xff" * 24, "cannot be read"),
        (OLD + pickle.dumps(1) * 4, "cannot be read"),
        (pickle.dumps({"a": 1}, protocol=2), "looks like a pickle, which may run code"),
    ],
)
def test_old_files_that_are_refused(content, message, capsys):
    with pytest.raises(ValueError, match=message):
        mc.load(io.BytesIO(content))
    assert capsys.readouterr().out == ""


def rebuilt(change) -> io.BytesIO:
    """A saved file whose members `change` may alter: name -> content."""
    with zipfile.ZipFile(saved({"w": torch.arange(6.0).reshape(2, 3)})) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    settings = change(members) or {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **settings) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    buffer.seek(0)
    return buffer


def test_big_endian_files():
    def swap(members):
        members["archive/byteorder"] = b"big"
        members["archive/data/0"] = np.arange(6, dtype=">f4").tobytes()

    assert mc.load(rebuilt(swap))["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def in_pickle(old: bytes, new: bytes):
    def change(members):
        assert old in members["archive/data.pkl"]
        members["archive/data.pkl"] = members["archive/data.pkl"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda members: members.pop("archive/data/0") and None, "data/0"),
        (lambda members: members.update({"archive/data/0": b"abcd"}), "must hold 6 numbers, got 1"),
        (lambda members: members.update({"archive/data/0": b"abc"}), "multiple of element size"),
        (lambda members: members.update({"archive/data.pkl": b""}), "pickle"),
        (lambda members: {"compression": zipfile.ZIP_DEFLATED}, "is compressed"),
        (lambda members: members.pop("archive/data.pkl") and None, "without a data.pkl"),
        (in_pickle(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), "does not lie in its memory"),
        (in_pickle(b"K\x03K\x01\x86", b"K\x04K\x01\x86"), "does not lie in its memory"),
        (in_pickle(b"K\x03K\x01\x86", b"J\xff\xff\xff\xffK\x01\x86"), "does not lie in its memory"),
        (in_pickle(b"K\x02K\x03\x86q", b"J\xff\xff\xff\x7fK\x03\x86q"), "does not lie in its memory"),
    ],
)  # fmt: skip
def test_damage_is_told(change, message):
    with pytest.raises(ValueError, match=f"the file cannot be read.*{message}"):
        mc.load(rebuilt(change))


def test_endless_repetition_is_refused():
    def stretch(members):
        in_pickle(b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86")(members)
        in_pickle(b"K\x03K\x01\x86", b"K\x00K\x01\x86")(members)

    with pytest.raises(ValueError, match="repeats its 6 numbers too often"):
        mc.load(rebuilt(stretch))


def test_cut_files():
    content = saved({"w": torch.arange(6.0), "n": [1, "two"]}).getvalue()
    for end in range(4, len(content), 7):
        with pytest.raises(ValueError, match="load: the file"):
            mc.load(io.BytesIO(content[:end]))


def test_a_pickle_that_only_looks_so():
    with pytest.raises(ValueError, match="cannot be read"):
        mc.load(rebuilt(lambda members: members.update({"archive/data.pkl": pickle.dumps(Evil(), 2)})))

"""Hooks of modules: when they are called, with what, and what they change; as in PyTorch."""

import numpy as np
import pytest
import torch

import minicnn as mc
import minicnn.nn as nn
from parity import numbers

BOTH = [(mc, nn), (torch, torch.nn)]


def plain(x):
    """Numbers of Tensors, in the same tuples."""
    if isinstance(x, tuple | list):
        return tuple(plain(y) for y in x)
    return None if x is None else np.round(x.detach().numpy().astype(float), 5).tolist()


def story(tell):
    """The same program with both libraries; what it notes must be equal."""
    told = []
    for m, library in BOTH:
        notes = []
        tell(m, library, notes.append)
        told.append(notes)
    assert told[0] == told[1]
    assert told[0]
    return told[0]


def net(m, library):
    layers = library.Sequential(library.Linear(3, 2), library.Tanh(), library.Linear(2, 1))
    rng = np.random.default_rng(3)
    layers.load_state_dict(
        {k: m.tensor(rng.random(tuple(v.shape)).astype(np.float32)) for k, v in layers.state_dict().items()}
    )
    return layers


def test_order_and_arguments():
    def tell(m, library, note):
        model = net(m, library)
        handles = [
            model[1].register_forward_hook(
                lambda module, args, out: note(("after", plain(args), plain(out)))
            ),
            model[1].register_forward_hook(lambda *a: note("first"), prepend=True),
            model[1].register_forward_pre_hook(lambda module, args: note(("before", plain(args)))),
            model.register_forward_hook(lambda module, args, out: note(type(module).__name__)),
        ]
        x = m.tensor(np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3))
        model(x)
        handles[0].remove()
        handles[0].remove()
        model(x)
        for handle in handles:
            handle.remove()
        note(plain(model(x)))

    assert len(story(tell)) == 4 + 3 + 1


def test_hooks_change_arguments_and_results():
    def tell(m, library, note):
        model = net(m, library)
        x = m.tensor(np.ones((2, 3), np.float32))
        with model[2].register_forward_pre_hook(lambda module, args: args[0] * 2):
            note(plain(model(x)))
        with model.register_forward_hook(lambda module, args, out: out + 1):
            note(plain(model(x)))
        note(plain(model(x)))

    story(tell)


def test_named_arguments():
    def tell(m, library, note):
        class Scale(library.Module):
            def forward(self, x, by=1):
                return x * by

        layer = Scale()
        layer.register_forward_pre_hook(
            lambda module, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True
        )
        layer.register_forward_hook(
            lambda module, args, kwargs, out: note((kwargs, plain(out))), with_kwargs=True
        )
        layer(m.ones(2), by=3)

    assert story(tell) == [({"by": 4}, [4, 4])]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
@pytest.mark.parametrize("needs", [False, True])
def test_backward_hooks_see_gradients(needs):
    def tell(m, library, note):
        model = net(m, library)
        for name, layer in model.named_modules():
            layer.register_full_backward_hook(
                lambda module, into, out, name=name: note((name, plain(into), plain(out)))
            )
        x = m.tensor(np.ones((2, 3), np.float32), requires_grad=needs)
        (model(x) ** 2).sum().backward()
        note(plain([p.grad for p in model.parameters()]))

    assert len(story(tell)) == 5


def test_backward_hooks_change_gradients():
    def tell(m, library, note):
        model = net(m, library)
        model[1].register_full_backward_hook(lambda module, into, out: (into[0] * 3,))
        model(m.tensor(np.ones((2, 3), np.float32))).sum().backward()
        note(plain([p.grad for p in model.parameters()]))

    story(tell)


def test_backward_hooks_of_several_inputs():
    def tell(m, library, note):
        layer = library.MSELoss()
        layer.register_full_backward_hook(lambda module, into, out: note((plain(into), plain(out))))
        x, y = (m.tensor([1.0, k], requires_grad=True) for k in (2.0, 4.0))
        layer(x, y).backward()
        note((plain(x.grad), plain(y.grad)))

    story(tell)


def test_class_activation_maps():
    """The program that hooks are mostly used for: Grad-CAM."""

    def tell(m, library, note):
        rng = np.random.default_rng(1)
        conv, head = library.Conv2d(1, 2, 3), library.Linear(2, 3)
        model = library.Sequential(conv, library.ReLU(), library.Flatten(2))
        for p in (*model.parameters(), *head.parameters()):
            p.data = m.tensor(rng.random(tuple(p.shape)).astype(np.float32))
        kept = {}
        model[1].register_forward_hook(lambda module, args, out: kept.update(maps=out.detach()))
        model[1].register_full_backward_hook(lambda module, into, out: kept.update(grads=out[0]))
        scores = head(model(m.tensor(rng.random((1, 1, 5, 6)).astype(np.float32))).mean(2))
        scores[0, 1].backward()
        note(plain((kept["maps"] * kept["grads"].mean((2, 3), keepdim=True)).sum(1)))

    story(tell)


def test_no_gradient_no_backward_hook():
    layer, seen = nn.Linear(2, 2), []
    layer.register_full_backward_hook(lambda *a: seen.append(a))
    with mc.no_grad():
        layer(mc.ones(1, 2))
    assert not seen
    assert layer(mc.ones(1, 2)).requires_grad


def test_hooks_refuse():
    layer = nn.MSELoss()
    with pytest.raises(TypeError, match="register hook: expected a function, got int"):
        layer.register_forward_hook(3)
    with pytest.raises(NotImplementedError, match="always_call"):
        layer.register_forward_hook(print, always_call=True)
    x, y = mc.ones(2, requires_grad=True), mc.zeros(2, requires_grad=True)
    handle = layer.register_full_backward_hook(lambda module, into, out: into[0])
    with pytest.raises(RuntimeError, match="expected 2 gradients of inputs, got 1"):
        layer(x, y).backward()
    handle.remove()
    layer.register_full_backward_hook(lambda module, into, out: into)
    with pytest.raises(NotImplementedError, match="one input only"):
        layer(x, y).backward()


def test_values_are_right_with_hooks():
    x = numbers(4, 3)
    ours = net(mc, nn)
    expected = ours(mc.tensor(x)).tolist()
    ours.register_full_backward_hook(lambda *a: None)
    assert ours(mc.tensor(x)).tolist() == expected


@pytest.mark.parametrize("m", [mc, torch], ids=["minicnn", "torch"])
def test_the_hook_of_older_programs_sees_the_gradient_of_the_output(m):
    layer, seen = m.nn.Linear(2, 3), []
    with pytest.warns(FutureWarning, match="register_full_backward_hook|non-full backward hook"):
        handle = layer.register_backward_hook(lambda module, into, out: seen.append(out[0].tolist()))
        (layer(m.ones(1, 2)) * m.tensor([1.0, 2.0, 3.0])).sum().backward()
    handle.remove()
    layer(m.ones(1, 2)).sum().backward()
    assert seen == [[[1, 2, 3]]]

"""A step captured as a CUDA graph against the same step without: bit for bit, for as long as it is repeated.

On the emulated GPU a graph fails where memory that it uses could be in other hands by then.
"""

import gc
import sys

import numpy as np
import pytest

import minicnn as mc
import minicnn.nn.functional as F
from minicnn import nn, optim

RNG = np.random.default_rng(11)
OPTIMIZERS = {
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda params: optim.Adam(params, lr=0.01),
    "AdamW": lambda params: optim.AdamW(params, lr=0.01, amsgrad=True),
    "RMSprop": lambda params: optim.RMSprop(params, lr=0.01, momentum=0.9),
    "Adagrad": lambda params: optim.Adagrad(params, lr=0.1, lr_decay=0.1),
}


def net():
    mc.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)).to("cuda")


def batch(size=6):
    x, y = RNG.standard_normal((size, 5), np.float32), RNG.integers(0, 3, size)
    return mc.tensor(x, device="cuda"), mc.tensor(y, device="cuda")


def step_of(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


class Twins:
    """Two equal models with optimizers: one takes its steps through a graph."""

    def __init__(self, make=OPTIMIZERS["Adam"]):
        self.models = net(), net()
        self.optimizers = [make(model.parameters()) for model in self.models]
        step, self.eager = map(step_of, self.models, self.optimizers)
        self.graph = mc.cuda.graph(step)

    def step(self, size=6):
        x, y = batch(size)
        ours = self.graph(x, y)
        np.testing.assert_array_equal(ours.numpy(force=True), self.eager(x, y).numpy(force=True))
        self.compare()

    def compare(self):
        left, right = ({**m.state_dict()} for m in self.models)
        for name in left:
            np.testing.assert_array_equal(left[name].numpy(force=True), right[name].numpy(force=True), name)
        for p, q in zip(*(m.parameters() for m in self.models), strict=True):
            np.testing.assert_array_equal(p.grad.numpy(force=True), q.grad.numpy(force=True))
            for key, value in self.optimizers[0].state[p].items():
                other = self.optimizers[1].state[q][key]
                assert value.equal(other) if isinstance(value, mc.Tensor) else value == other


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_replay_gives_what_the_step_gives(name, cuda):
    twins = Twins(OPTIMIZERS[name])
    schedulers = [optim.lr_scheduler.ExponentialLR(optimizer, 0.8) for optimizer in twins.optimizers]
    for number in range(12):
        twins.step()
        if number % 3 == 2:
            for scheduler in schedulers:
                scheduler.step()
    assert len(twins.graph.recordings) == 1


def test_dropout_draws_new_masks(cuda):
    x, masks = mc.ones(64, device="cuda"), []
    for step in (F.dropout, mc.cuda.graph(F.dropout)):
        mc.manual_seed(8)
        masks.append([step(x).tolist() for _ in range(5)])
    assert masks[0] == masks[1] and len({tuple(mask) for mask in masks[0]}) == 5


def test_a_seed_holds_for_replays(cuda):
    step, x, masks = mc.cuda.graph(F.dropout, warmup=1), mc.ones(64, device="cuda"), []
    for _ in range(3):
        mc.manual_seed(8)
        masks.append([step(x).tolist() for _ in range(3)])
    assert masks[0] == masks[1] == masks[2]


def test_a_replay_runs_no_python(cuda):
    calls = []
    step = mc.cuda.graph(lambda x: calls.append(1) or x * 2, warmup=1)
    results = [step(mc.full((2,), float(i), device="cuda")).tolist() for i in range(5)]
    assert results == [[2.0 * i] * 2 for i in range(5)] and len(calls) == 2


def test_how_many_launches_a_step_is(cuda, real_gpu):
    """Those of LeNet-5: whoever adds one to each layer, slows a step down by a fifth."""
    if real_gpu:
        pytest.skip("a real graph does not tell")
    model = mc.models.lenet5().to("cuda")
    graph = mc.cuda.graph(step_of(model, optim.Adam(model.parameters())), warmup=1)
    x, y = mc.zeros(16, 1, 32, 32, device="cuda"), mc.zeros(16, dtype=mc.int64, device="cuda")
    graph(x, y), graph(x, y)
    (recording,) = graph.recordings.values()
    assert len(recording.graph.work) <= 27


def test_outputs_stay_where_they_are(cuda):
    step = mc.cuda.graph(lambda x: {"sum": x.sum(), "parts": [x + 1, "text"]}, warmup=1)
    first, second, third = (step(mc.ones(3, device="cuda") * i) for i in range(3))
    assert second["sum"] is third["sum"] and third["sum"].item() == 6 and first["sum"].item() == 0
    assert third["parts"][0].tolist() == [3, 3, 3] and third["parts"][1] == "text"


def test_every_kind_of_arguments_has_its_graph(cuda):
    twins = Twins()
    for size in (6, 6, 6, 4, 6, 4, 4, 6, 4):
        twins.step(size)
    assert len(twins.graph.recordings) == 2
    step = mc.cuda.graph(lambda x, factor: x * factor, warmup=1)
    x = mc.ones(2, device="cuda")
    assert [step(x, factor).tolist() for factor in (2, 2, 3, 3, 3, 2)] == [[f, f] for f in (2, 2, 3, 3, 3, 2)]


def test_settings_may_change_and_states_be_loaded(cuda):
    twins = Twins(lambda params: optim.SGD([{"params": [p]} for p in params], lr=0.1, momentum=0.9))
    for _ in range(4):
        twins.step()
    for optimizer in twins.optimizers:
        optimizer.param_groups[0]["lr"] = 0.01  # two launches from now on
    for _ in range(2):
        twins.step()
    for optimizer in twins.optimizers:
        optimizer.load_state_dict(optimizer.state_dict())  # in other memory
    for _ in range(2):
        twins.step()
    assert len(twins.graph.recordings) == 1


def test_steps_beside_the_graph(cuda):
    twins = Twins()
    for number in range(8):
        twins.step()
        if number % 3 == 2:
            x, y = batch(4)
            plain = twins.graph.step
            assert plain(x, y).item() == twins.eager(x, y).item()
            twins.compare()


def test_the_memory_of_a_graph_is_its_own(cuda):
    twins = Twins()
    for _ in range(4):
        twins.step()
        gc.collect()
        others = [mc.full((n,), 7.0, device="cuda") for n in range(1, 60)]
        assert all((x == 7).all().item() for x in others)
    mc.cuda.empty_cache()
    twins.step()


def run(make, inputs, loss_of=lambda out, y: F.cross_entropy(out, y), max_norm=None):
    """Losses and states of two equal models, one in graphs, after as many steps as there are inputs."""
    results = []
    for captured in (False, True):
        mc.manual_seed(5)
        model = make().to("cuda")
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

        def step(x, y, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            if max_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            return loss

        step = mc.cuda.graph(step, warmup=1) if captured else step
        losses = [step(x, y).item() for x, y in inputs]
        assert not captured or len(step.recordings) == 1
        results.append([losses, *(v.numpy(force=True) for v in model.state_dict().values())])
    for eager, replayed in zip(*results, strict=True):
        np.testing.assert_array_equal(eager, replayed)
    return results[0][0]


def images(size, classes=3, count=3):
    for _ in range(count):
        x, y = RNG.standard_normal((2, 3, size, size), np.float32), RNG.integers(0, classes, 2)
        yield mc.tensor(x, device="cuda"), mc.tensor(y, device="cuda")


def test_a_vision_transformer(cuda):
    sizes = {"image_size": 8, "patch_size": 4, "num_layers": 1, "num_heads": 2}
    vit = lambda: mc.models.VisionTransformer(**sizes, hidden_dim=8, mlp_dim=12, num_classes=3)  # noqa: E731
    losses = run(vit, [*images(8)], max_norm=0.5)
    assert len(set(losses)) == 3


def test_a_densenet_of_many_parts(cuda):
    settings = {"growth_rate": 2, "block_config": (8, 1), "num_init_features": 4, "bn_size": 1}
    run(lambda: mc.models.DenseNet(**settings, num_classes=3), [*images(16)])


def test_neighbourhoods(cuda):
    layers = nn.LocalContrastNorm(3), nn.LocalResponseNorm(3), nn.Flatten()
    run(lambda: nn.Sequential(*layers, nn.Linear(27, 3)), [*images(3)])


def test_a_mean_over_all_batches(cuda):
    layers = lambda: nn.Sequential(nn.BatchNorm2d(3, momentum=None), nn.Flatten(), nn.Linear(27, 3))  # noqa: E731
    run(layers, [*images(3, count=5)])


def test_a_compiled_model(cuda):
    """It runs as it is on a GPU, whatever it has recorded on the CPU, and is captured like any other."""
    inputs = [batch() for _ in range(3)]

    def recorded():
        model = mc.compile(net().cpu())
        for x, y in inputs:
            F.cross_entropy(model(x.cpu()), y.cpu()).backward()
        return model

    run(recorded, inputs)


def test_an_embedding(cuda):
    words = mc.tensor([[0, 2, 2], [4, 2, 0]], device="cuda"), mc.tensor([1, 0], device="cuda")
    run(lambda: nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 3)), [words] * 3)


def test_the_memory_of_graphs_is_told(cuda):
    gc.collect()  # what other tests have left
    before = mc.cuda.memory_allocated()
    step = mc.cuda.graph(lambda x: x * 2, warmup=1)
    x = mc.ones(1000, device="cuda")
    step(x), step(x)
    assert mc.cuda.memory_allocated() - before >= 2 * x.array.nbytes  # x, and the result in the graph
    assert mc.cuda.memory_reserved() >= mc.cuda.memory_allocated()
    assert "of that by graphs" in mc.cuda.memory_summary()
    del step, x
    gc.collect()
    assert mc.cuda.memory_allocated() == before


def test_numbers_that_a_step_makes_itself(cuda):
    def step(x):
        return x + mc.arange(3.0, device="cuda"), x.expand(3, 3).tril() + mc.eye(3, device="cuda")

    x, graph = mc.tensor([1.0, 2.0, 3.0], device="cuda"), mc.cuda.graph(step, warmup=1)
    for _ in range(3):
        for one, other in zip(graph(x), step(x), strict=True):
            assert one.equal(other)


READS = {
    "item": lambda x: mc.tensor(x.sum().item()),
    "bool": lambda x: x if x.sum() > 0 else -x,
    "print": lambda x: (str(x), x)[1],
    "numpy": lambda x: x.cpu(),
    "mask": lambda x: x[x > 0],
    "tensor": lambda x: x + mc.tensor([1.0, 2.0], device="cuda"),
    "past the seam": lambda x: x + mc.Tensor(sys.modules["cupy"].asarray(np.ones(2, np.float32))),
    "random": lambda x: x + mc.rand(2, device="cuda"),
}


@pytest.mark.parametrize("name", READS)
def test_what_cannot_be_captured(name, cuda):
    step = mc.cuda.graph(READS[name], warmup=1)
    x = mc.ones(2, device="cuda")
    step(x)
    with pytest.raises(mc.cuda.CaptureError, match=r"graph: the step cannot be captured: .*; while a step"):
        step(x)
    assert (mc.zeros(2, device="cuda") + mc.tensor([1.0, 2.0], device="cuda")).tolist() == [1, 2]


def test_a_failed_capture_is_no_step(cuda):
    model = net()
    optimizer = optim.Adam(model.parameters())
    step = step_of(model, optimizer)
    reads = mc.cuda.graph(lambda x, y: step(x, y).item(), warmup=2)
    x, y = batch()
    reads(x, y), reads(x, y)
    before = {key: value.numpy(force=True).copy() for key, value in model.state_dict().items()}
    with pytest.raises(mc.cuda.CaptureError):
        reads(x, y)
    assert {memory["step"] for memory in optimizer.state.values()} == {2}
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(force=True), before[key])


def test_states_are_made_before(cuda):
    model = net()
    optimizer = optim.Adam(model.parameters())
    late = []

    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        if late:
            loss.backward()
            optimizer.step()
        return loss

    graph = mc.cuda.graph(step, warmup=1)
    graph(*batch())
    late.append(1)
    with pytest.raises(mc.cuda.CaptureError, match="made its state"):
        graph(*batch())
    assert not any(optimizer.state.values())


def test_wrong_arguments(cuda):
    with pytest.raises(TypeError, match="expected a function, got int"):
        mc.cuda.graph(3)
    with pytest.raises(ValueError, match="warmup of at least 1, got 0"):
        mc.cuda.graph(abs, warmup=0)
    with pytest.raises(RuntimeError, match="argument 1 is on cpu"):
        mc.cuda.graph(lambda x, y: x)(mc.ones(1, device="cuda"), mc.ones(1))


def test_no_gpu(real_gpu):
    if real_gpu:
        pytest.skip("there is one")
    with pytest.raises(RuntimeError, match="graph: cuda is not available"):
        mc.cuda.graph(abs)

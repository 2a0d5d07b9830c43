"""Single operations at the sizes that known networks have, in minicnn and in PyTorch, in turn in one run.

    python -m benchmarks.kernels [--nets LeNet ResNet] [--batch-size 8 64] [--threads 1 2]
    python -m benchmarks.kernels --crossover [--threads 1]
    python -m benchmarks.kernels --device cuda [--tf32]

Each operation is validated before it is timed: forward, without gradients; and forward and backward, for the
gradients of its input and its weights. GFLOP/s, or GB/s where memory is the limit (what has to be read and
written at least), follow from the operation's size, not from what a library does. Ratio = PyTorch's median /
minicnn's: above 1, minicnn is faster.

On the CPU PyTorch runs in a process of its own, in its default memory format and in channels_last, and the
better one counts. Beside minicnn's rate stands its share of the most that the machine computes in registers,
or copies in memory (benchmarks/roofline.py). With --results the table goes to kernels_cpu.md in that folder,
and a picture of it to roofline_cpu.svg.

--crossover compares minicnn's own methods of convolution instead (benchmarks/crossover.py).

On a GPU both run as CUDA graphs, so that launches do not count; PyTorch's eager mode is told too, and with
--compiled that one; the table goes to results/kernels_cuda.md, or kernels_cuda_tf32.md with --tf32.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

import minicnn as mc
from benchmarks import crossover, gpu
from benchmarks.report import RESULTS, Table, beside, fastest, file_in, machine, meaning, options
from benchmarks.roofline import Point, Roof, draw, measured_roof
from benchmarks.timing import Apart, Budget, Call, alternate, apart, median_ms, set_threads

Shape = tuple[int, ...]
LARGEST = 100e9  # operations of the largest layer, for all its samples, that is measured on the CPU


class Case(NamedTuple):
    """An operation: of which network, which it is, its function, shapes without the batch, and its size.

    `work` is multiplications and additions for one sample, forward; 0 where bytes count.
    """

    net: str
    name: str
    function: Callable[..., Any]  # of a library's functional module and Tensors
    x: Shape
    weights: tuple[Shape, ...]
    work: int


def conv(
    net: str, channels: int, outputs: int, size: int, kernel: int, stride: int = 1, groups: int = 1
) -> Case:
    """A convolution of square pictures that keeps their size but for its stride."""
    padding = kernel // 2 if net != "LeNet" else 0
    out = (size + 2 * padding - kernel) // stride + 1
    weight = (outputs, channels // groups, kernel, kernel)
    what = "depthwise" if groups == channels > 1 else "conv"
    return Case(
        net,
        f"{what} {kernel}x{kernel}/{stride} {channels}>{outputs} at {size}",
        lambda F, x, w: F.conv2d(x, w, stride=stride, padding=padding, groups=groups),
        (channels, size, size),
        (weight,),
        2 * int(np.prod(weight)) * out * out,
    )


def linear(net: str, inputs: int, outputs: int, tokens: Shape = ()) -> Case:
    """A fully connected layer, for each of some tokens."""
    work = 2 * inputs * outputs * int(np.prod(tokens, dtype=int))
    name = f"linear {inputs}>{outputs}" + (f" of {tokens[0]} tokens" if tokens else "")
    shapes = (outputs, inputs), (outputs,)
    return Case(net, name, lambda F, x, w, b: F.linear(x, w, b), (*tokens, inputs), shapes, work)


def batch_norm(net: str, channels: int, size: int) -> Case:
    """Batch normalisation in training."""
    return Case(
        net,
        f"batch norm {channels} at {size}",
        lambda F, x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        (channels, size, size),
        ((channels,), (channels,)),
        0,
    )


CASES = [
    conv("LeNet", 1, 6, 32, 5),
    conv("LeNet", 6, 16, 14, 5),
    Case("LeNet", "tanh 6 at 28", lambda F, x: x.tanh(), (6, 28, 28), (), 0),
    Case("LeNet", "average pool 2x2 6 at 28", lambda F, x: F.avg_pool2d(x, 2), (6, 28, 28), (), 0),
    linear("LeNet", 400, 120),
    conv("VGG", 3, 64, 224, 3),
    conv("VGG", 64, 128, 112, 3),
    conv("VGG", 128, 128, 112, 3),
    conv("VGG", 256, 256, 56, 3),
    conv("VGG", 512, 512, 28, 3),
    conv("VGG", 512, 512, 14, 3),
    Case("VGG", "max pool 2x2 64 at 224", lambda F, x: F.max_pool2d(x, 2), (64, 224, 224), (), 0),
    linear("VGG", 25088, 4096),
    conv("ResNet", 3, 64, 224, 7, 2),
    conv("ResNet", 64, 64, 56, 3),
    conv("ResNet", 64, 256, 56, 1),
    conv("ResNet", 256, 128, 56, 1),
    conv("ResNet", 128, 128, 28, 3),
    conv("ResNet", 256, 256, 14, 3),
    conv("ResNet", 512, 512, 7, 3),
    batch_norm("ResNet", 64, 112),
    batch_norm("ResNet", 256, 56),
    Case("ResNet", "relu 256 at 56", lambda F, x: F.relu(x), (256, 56, 56), (), 0),
    conv("MobileNet", 32, 32, 112, 3, 1, 32),
    conv("MobileNet", 144, 144, 56, 3, 2, 144),
    conv("MobileNet", 384, 384, 14, 3, 1, 384),
    conv("MobileNet", 24, 144, 56, 1),
    Case("MobileNet", "relu6 96 at 112", lambda F, x: F.relu6(x), (96, 112, 112), (), 0),
    conv("ViT", 3, 768, 224, 16, 16),
    linear("ViT", 768, 3072, (197,)),
    Case(
        "ViT",
        "layer norm 197x768",
        lambda F, x, w, b: F.layer_norm(x, (768,), w, b),
        (197, 768),
        ((768,), (768,)),
        0,
    ),
    Case("ViT", "softmax 12x197x197", lambda F, x: F.softmax(x, -1), (12, 197, 197), (), 0),
    Case("ViT", "gelu 197x3072", lambda F, x: F.gelu(x), (197, 3072), (), 0),
]
NETS = list(dict.fromkeys(case.net for case in CASES))


class Both:
    """A case with numbers, for minicnn and for PyTorch."""

    def __init__(self, case: Case, batch: int, device: str) -> None:
        rng = np.random.default_rng(0)
        self.case, self.device, self.unit = case, device, "GFLOP/s" if case.work else "GB/s"
        shapes = [(batch, *case.x), *case.weights]
        self.arrays = [
            rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(np.prod(shape[1:])) if i else 1)
            for i, shape in enumerate(shapes)
        ]
        given = [torch.empty(shape, device="meta") for shape in shapes]  # nothing is computed but a shape
        self.slope = rng.random(tuple(case.function(torch.nn.functional, *given).shape), np.float32)
        self.batch = batch

    def call(
        self, module: ModuleType, backward: bool, wrap: Callable = lambda f: f, last: bool = False
    ) -> Callable[[], Any]:
        """The operation on one library's Tensors; `wrap` makes another function of it.

        `last` puts PyTorch's pictures and filters into channels_last memory.
        """
        *tensors, slope = [module.from_numpy(a).to(self.device) for a in (*self.arrays, self.slope)]
        if last:
            *tensors, slope = [
                t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for t in (*tensors, slope)
            ]
        tensors = [t.requires_grad_(backward) for t in tensors]
        function = wrap(lambda *given: self.case.function(module.nn.functional, *given))

        def run() -> Any:
            if not backward:
                with module.no_grad():
                    return function(*tensors)
            for tensor in tensors:
                tensor.grad = None
            function(*tensors).backward(slope)
            return [tensor.grad for tensor in tensors]

        return run

    def check(self, share: float) -> None:
        """Raise AssertionError unless both give the same: the difference has this share of the length."""
        for backward in (False, True):
            ours, theirs = (self.call(module, backward)() for module in (mc, torch))
            for a, b in zip(*(x if backward else [x] for x in (ours, theirs)), strict=True):
                expected = b.detach().cpu().numpy()
                off = np.linalg.norm(a.detach().numpy(force=True) - expected) / np.linalg.norm(expected)
                if not off <= share:  # NaN is wrong, too
                    raise AssertionError(f"{self.case.name}: off by {off:.1e} of the result's length")

    def rate(self, seconds: float, backward: bool) -> float:
        """GFLOP/s; or GB/s: forward reads the input and writes the output, backward 1.5 times as much."""
        if self.case.work:
            return self.case.work * self.batch * (3 if backward else 1) / seconds / 1e9
        moved = (self.arrays[0].nbytes + self.slope.nbytes) * (2.5 if backward else 1)
        return moved / seconds / 1e9

    def intensity(self) -> float:
        """Operations for each byte that has to be read or written, forward."""
        return self.case.work * self.batch / sum(a.nbytes for a in (*self.arrays, self.slope))

    def told_rate(self, seconds: float, backward: bool) -> str:
        """The same with its unit."""
        return f"{self.rate(seconds, backward):.0f} {self.unit}"


def modes_of(case: Case) -> dict[str, bool]:
    """PyTorch's modes on the CPU: whether in channels_last memory."""
    return {"default": False} | ({"channels_last": True} if len(case.x) == 3 else {})


def torch_calls(number: int, batch: int, backward: bool, threads: int) -> list[Call]:
    """PyTorch's call in its modes, for one of CASES."""
    torch.set_num_threads(threads)
    both = Both(CASES[number], batch, "cpu")
    return [both.call(torch, backward, last=last) for last in modes_of(both.case).values()]


def measure_on_cpu(
    cases: list[Case], batch: int, roof: Roof, budget: Budget, table: Table, pytorch: Apart
) -> list[Point]:
    """Measure on some threads and tell it in the table; the points for the picture, forward."""
    set_threads(roof.threads)
    points = []
    for case in cases:
        row = case.net, case.name, batch, roof.threads
        with table.attempt(*row):
            both = Both(case, batch, "cpu")
            both.check(2e-4)
            for backward in (False, True):
                theirs = pytorch.calls(torch_calls, CASES.index(case), batch, backward, roof.threads)
                ours, *times = alternate(
                    [both.call(mc, backward), *theirs], budget.seconds(1 + len(theirs)), 5
                )
                modes = dict(zip(modes_of(case), times, strict=True))
                rate, best = (both.rate(median_ms(t) / 1e3, backward) for t in (ours, fastest(modes)))
                most = roof.peak if case.work else roof.bandwidth
                rates = f"{rate:.3g} {both.unit}", f"{rate / most:.0%}"
                table.add(*row, "and backward" if backward else "forward", *rates, *beside(ours, modes))
                if case.work and not backward:
                    points.append(Point(case.net, both.intensity(), rate, best))
    return points


def measure_on_gpu(
    cases: list[Case], batch: int, tf32: bool, compiled: bool, results: Path, seconds: float
) -> bool:
    """Measure, print and keep a table; whether all of it succeeded."""
    torch.backends.cudnn.benchmark = True  # the fastest algorithm for each shape
    columns = ["net", "operation", "", "minicnn us", "", "PyTorch us", "ratio", "eager us", "ratio"]
    table = Table(
        results / f"kernels_cuda{'_tf32' if tf32 else ''}.md",
        "Operations on the GPU",
        [
            f"{gpu.setting('cuda', tf32)} Batch {batch}.",
            "Microseconds: medians by CUDA events. Both libraries run as CUDA graphs, so that launches do "
            "not count; PyTorch's eager mode is told, too. Ratio = PyTorch's / minicnn's. GFLOP/s and GB/s "
            "are minicnn's.",
        ],
        [*columns, "compiled us", "ratio"] if compiled else columns,
    )
    for case in cases:
        with table.attempt(case.net, case.name):
            both = Both(case, batch, "cuda")
            both.check(5e-3 if tf32 else 2e-4)
            for backward in (False, True):
                table.add(case.net, case.name, *measure_case(both, backward, compiled, seconds))
        both = None
        gpu.give_back()
    return not table.failed


def measure_case(both: Both, backward: bool, compiled: bool, seconds: float) -> list[str]:
    """The figures of an operation, or of it and its gradients."""
    eager = both.call(torch, backward)
    functions = [
        (mc.cuda.graph(both.call(mc, backward)), gpu.OurEvent),
        (gpu.captured_by_torch(eager), gpu.their_event),
        (eager, gpu.their_event),
    ]
    if compiled:
        functions.append((both.call(torch, backward, torch.compile), gpu.their_event))
    ours, *theirs = (gpu.milliseconds(t) * 1e3 for t in gpu.alternate_on_gpu(functions, seconds))
    pairs = [cell for time in theirs for cell in (f"{time:.1f}", f"{time / ours:.2f}")]
    what = "and backward" if backward else "forward"
    return [what, f"{ours:.1f}", both.told_rate(ours / 1e6, backward), *pairs]


def main() -> None:
    """Measure and print a table."""
    parser = options(__doc__)
    parser.add_argument("--nets", nargs="+", default=NETS, choices=NETS)
    parser.add_argument("--batch-size", type=int, nargs="+", help="8; on a GPU 64")
    gpu.add_arguments(parser)
    parser.add_argument("--compiled", action="store_true", help="on a GPU compare with torch.compile, too")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="on the CPU: 1 2")
    parser.add_argument(
        "--crossover", action="store_true", help="on the CPU: which method of convolution wins"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="on the CPU, for all together, about")
    parser.add_argument("--seconds", type=float, default=0.5, help="on a GPU, for each variant")
    args = parser.parse_args()
    gpu.check_device(parser, args.device, args.tf32)
    cases = [case for case in CASES if case.net in args.nets]
    if args.device == "cuda":
        settings = (args.batch_size or [64])[0], args.tf32, args.compiled, args.results or RESULTS
        sys.exit(not measure_on_gpu(cases, *settings, args.seconds))
    if args.crossover:
        sys.exit(not crossover.measure(args.results, args.minutes, args.threads[0]))
    roofs = [measured_roof(threads) for threads in args.threads]
    told = [f"{roof.peak:.0f} GFLOP/s and {roof.bandwidth:.0f} GB/s on {roof.threads}" for roof in roofs]
    table = Table(
        file_in(args.results, "kernels_cpu.md"),
        "Operations on the CPU",
        [f"{machine()} The machine's most: {', '.join(told)} threads.", meaning("a call")],
        ["net", "operation", "batch", "threads", "", "rate", "share", "minicnn", "PyTorch's best", "ratio"],
    )
    jobs = [
        (roof, size, [case for case in cases if case.work * size < LARGEST])
        for size in args.batch_size or [8]
        for roof in roofs
    ]
    budget = Budget(args.minutes, 2 * sum(len(some) for *_, some in jobs))
    points: dict[int, list[Point]] = {roof.threads: [] for roof in roofs}
    with apart() as pytorch:
        for roof, size, some in jobs:
            points[roof.threads] += measure_on_cpu(some, size, roof, budget, table, pytorch)
    if args.results and any(points.values()):
        draw(args.results / "roofline_cpu.svg", roofs, points)
    sys.exit(table.failed)


if __name__ == "__main__":
    main()

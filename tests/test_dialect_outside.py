"""What PyTorch has and minicnn has not: errors that say what to write instead; switches without effect."""

import copy
import inspect
import re

import numpy as np
import pytest
import torch
from torch.overrides import get_overridable_functions

import minicnn as mc
from dialect.names import at
from minicnn.outside import NEAREST, OutsideDialectError, missing
from minicnn.outside.names import DATA_GROUPS, GROUPS

SPACES = [
    "",
    "Tensor",
    "nn",
    "nn.functional",
    "nn.init",
    "nn.utils",
    "optim",
    "optim.lr_scheduler",
    "cuda",
    "autograd",
]

# PyTorch's functions for its own use, which its manual does not show or does not want to be called
HIDDEN = re.compile(
    r"_|(batch_norm|cudnn|fbgemm|fused|miopen|mkldnn|native|q_per|quantized|sym|unsafe)_|.*_copy$|grid_sampler_.d$"
    r"|(choose_qparams_optimized|const_data_ptr|feature_dropout|hash_tensor|is_distributed|is_inference"
    r"|is_set_to|module_load|slice_inverse|LinearCrossEntropyOptions|log_sigmoid|normal|eye|Tensor|S\w+Type|convert_conv.d_weight_memory_format)$"
)


def documented(space):
    """PyTorch's names in a namespace: functions that can be overridden, classes, ``__all__``."""
    place = at(torch, space)
    functions = {getattr(f, "__name__", "_") for f in get_overridable_functions().get(place, [])}
    classes = {
        name for name, kind in inspect.getmembers(place, inspect.isclass) if "torch" in kind.__module__
    }
    return {name for name in functions | classes | {*getattr(place, "__all__", ())} if not HIDDEN.match(name)}


@pytest.mark.parametrize("space", ["Tensor", "nn", "nn.functional", "nn.init", "nn.utils", "optim"])
def test_every_name_of_pytorch_is_inside_or_outside(space):
    ours = at(mc, space)
    assert [name for name in documented(space) if not hasattr(ours, name) and not outside(ours, name)] == []


def test_every_function_of_pytorch_is_inside_or_outside():
    functions = {f.__name__ for f in get_overridable_functions()[torch] if not HIDDEN.match(f.__name__)}
    assert [name for name in functions if not hasattr(mc, name) and not outside(mc, name)] == []


def outside(place, name):
    return isinstance(missing("there", name, dir(place)), OutsideDialectError)


def test_what_is_outside_is_pytorch_and_not_here():
    places = [(at(mc, space), at(torch, space)) for space in SPACES]
    dead = [
        name
        for _, names in GROUPS
        for name in names.split()
        if not any(hasattr(theirs, name) and not hasattr(ours, name) for ours, theirs in places)
    ]
    assert not dead, f"strike them off minicnn/outside/names.py: {dead}"


def test_no_name_stands_twice():
    names = [name for _, names in GROUPS + DATA_GROUPS for name in names.split()]
    assert sorted(names) == sorted(NEAREST)


def test_what_to_write_instead_exists():
    for nearest, names in GROUPS + DATA_GROUPS:
        for name in re.findall("`(.*?)`", nearest):
            assert at(mc, name) is not None, (name, names)


@pytest.mark.parametrize(
    ("space", "name", "words"),
    [
        ("", "jit", "module 'minicnn' has no jit, .* instead: compile, or leave it away: kernels"),
        ("", "float16", "has no float16, .* instead: float32 or float64"),
        ("", "conv2d", "instead: the function of the same name in nn.functional"),
        ("nn", "LSTM", "module 'minicnn.nn' has no LSTM, .* instead: nn.Conv1d along"),
        ("", "grid_sampler", "instead: nn.functional.grid_sample"),
        ("nn.utils", "parametrizations", "instead: nn.utils.spectral_norm, nn"),
        ("nn.init", "sparse_", "instead: nn.init.normal_"),
        ("optim", "LBFGS", "module 'minicnn.optim' has no LBFGS, .* instead: optim.SGD"),
        ("cuda", "amp", "module 'minicnn.cuda' has no amp"),
        ("data.transforms", "RandAugment", "instead: data.transforms.RandomApply or"),
        ("data.transforms.functional", "posterize", "instead: data.transforms.ColorJitter"),
        ("data.datasets", "SVHN", "instead: data.datasets.ImageFolder of the unpacked pictures"),
        ("utils.data", "DistributedSampler", "instead: one process"),
    ],
)
def test_errors_say_what_to_write(space, name, words):
    place = at(mc, space)
    with pytest.raises(NotImplementedError, match=words):
        getattr(place, name)
    with pytest.raises(AttributeError):
        getattr(place, name)
    assert not hasattr(place, name)
    assert getattr(place, name, None) is None


def test_other_names_are_plain_errors():
    for place in (mc, mc.nn, mc.nn.functional, mc.optim, mc.optim.lr_scheduler, mc.cuda):
        with pytest.raises(AttributeError, match="has no attribute 'Conv2f'") as caught:
            place.Conv2f  # noqa: B018
        assert not isinstance(caught.value, NotImplementedError)
        assert (caught.value.name, caught.value.obj) == (
            "Conv2f",
            place,
        )  # Python's "Did you mean" needs them


@pytest.mark.parametrize(
    "line",
    [
        "import torch.nn.modules; library = torch.nn.modules.conv.Conv2d",
        "from torch.nn.modules.batchnorm import BatchNorm2d",
        "from torch.nn.modules import Module, conv; library = conv.Conv1d",
        "from torch.nn.parameter import Parameter",
        "from torch.utils.data.sampler import SubsetRandomSampler",
        "from torch.utils.data.dataset import Dataset, random_split",
        "from torch.utils.data.dataloader import DataLoader, default_collate",
        "from torch.autograd.function import Function",
        "from torch.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_",
        "from torch.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters",
        "from torch.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm",
        "from torch.nn.utils.weight_norm import remove_weight_norm, weight_norm",
        "import torch.nn.utils.weight_norm; library = torch.nn.utils.weight_norm",
        "from torch.autograd.variable import Variable",
        "from torch.optim.optimizer import Optimizer",
        "from torch.optim.lr_scheduler import StepLR",
    ],
)
def test_import_lines_find_pytorchs_files(line):
    found, theirs = {}, {}
    exec(line, theirs)
    exec(line.replace("torch", "minicnn"), found)
    last = [name for name in theirs if not name.startswith("__")][-1]
    places = [mc.nn, mc.nn.utils, mc.utils.data, mc.autograd, mc.optim, mc.optim.lr_scheduler]
    assert any(vars(place).get(theirs[last].__name__) is found[last] for place in places)


def test_inner_classes_of_layers():
    layers = [mc.nn.Conv2d(1, 1, 1), mc.nn.ConvTranspose1d(1, 1, 1), mc.nn.BatchNorm1d(1), mc.nn.MSELoss()]
    kinds = mc.nn.modules
    inner = (kinds.conv._ConvNd, kinds.conv._ConvNd, kinds.batchnorm._BatchNorm, kinds.loss._Loss)
    assert all(isinstance(layer, kind) for layer, kind in zip(layers, inner, strict=True))
    assert not isinstance(mc.nn.InstanceNorm2d(1), kinds.batchnorm._BatchNorm)
    assert kinds.utils._pair(3) == (3, 3) and kinds.utils._pair([1, 2]) == (1, 2)
    assert issubclass(mc.optim.lr_scheduler.StepLR, mc.optim.lr_scheduler._LRScheduler)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("from minicnn.nn import LSTM", "module 'minicnn.nn' has no LSTM, .* instead: nn.Conv1d along"),
        ("import minicnn.nn.parallel", "module 'minicnn.nn' has no parallel, .* instead: one process"),
        ("from minicnn.cuda.amp import autocast", "module 'minicnn.cuda' has no amp, .* leave it away"),
        ("from minicnn.cuda import amp", "module 'minicnn.cuda' has no amp, .* leave it away"),
        ("from minicnn import amp", "module 'minicnn' has no amp, .* leave it away"),
        ("from minicnn.utils.tensorboard import SummaryWriter", "instead: History, which Trainer.fit"),
        ("import minicnn.distributed as dist", "instead: one process"),
        ("import minicnn.multiprocessing", "instead: one process"),
        ("import minicnn.jit", "instead: compile, or leave it away"),
        ("import minicnn.onnx", "instead: save"),
        ("from minicnn.fx import symbolic_trace", "instead: compile, or leave it away"),
        ("from minicnn.utils.checkpoint import checkpoint", "instead: call the function as it is"),
        ("from minicnn.nn.modules.rnn import LSTM", "module 'minicnn.nn.modules' has no rnn"),
        ("from minicnn.nn.utils.fusion import fuse_conv_bn_eval", "no fusion, .* instead: nn.BatchNorm2d"),
        ("from minicnn.nn.utils.parametrizations import weight_norm", "instead: nn.utils.spectral_norm"),
        ("from minicnn.utils.data.distributed import DistributedSampler", "instead: one process"),
    ],
)
def test_import_lines_say_what_to_write(line, words):
    with pytest.raises(OutsideDialectError, match=words) as caught:
        exec(line)
    assert isinstance(caught.value, ModuleNotFoundError)  # for programs with a way around it


def test_other_import_lines_fail_as_ever():
    for line in ("import minicnn.nothing", "import minicnn.cuda.nothing", "from minicnn.nn import Conv2f"):
        with pytest.raises(ImportError) as caught:
            exec(line)
        assert not isinstance(caught.value, OutsideDialectError)


def test_switches_can_be_set():
    import minicnn.backends.cudnn as cudnn

    assert cudnn is mc.backends.cudnn
    for name in ("benchmark", "deterministic", "enabled", "allow_tf32"):
        assert getattr(cudnn, name) is False
        setattr(cudnn, name, True)
        assert getattr(mc.backends.cudnn, name) is True
        setattr(cudnn, name, False)
    mc.backends.cuda.matmul.allow_tf32 = False
    mc.use_deterministic_algorithms(True)
    mc.set_float32_matmul_precision("high")
    assert mc.backends.cuda.matmul.allow_tf32
    mc.set_float32_matmul_precision("highest")
    assert not mc.backends.cuda.matmul.allow_tf32
    with pytest.raises(RuntimeError, match=r"expected one of .*, got 'low'"):
        mc.set_float32_matmul_precision("low")


def test_no_device_but_the_cpu():
    assert not mc.cuda.is_available()
    assert not mc.backends.mps.is_available()
    assert not mc.backends.cudnn.is_available()
    assert not mc.accelerator.is_available()
    assert mc.accelerator.current_accelerator() is None
    assert mc.cuda.device_count() == mc.accelerator.device_count() == 0
    for call in (mc.zeros(1).cuda, mc.nn.Linear(1, 1).cuda, lambda: mc.zeros(1, device="cuda")):
        with pytest.raises(RuntimeError, match=re.escape(mc.cuda.why_unavailable())):
            call()
    for nothing in (mc.cuda.synchronize, mc.cuda.empty_cache, lambda: mc.cuda.manual_seed(1)):
        assert nothing() is None
    assert mc.cuda.manual_seed_all(1) is None


def test_half_layers_are_refused():
    for name in ("half", "bfloat16"):
        with pytest.raises(NotImplementedError, match="float"):
            getattr(mc.nn.Linear(1, 1), name)()


def test_copies_and_arrays_are_not_disturbed():
    x = mc.tensor([1.0, 2.0])
    assert copy.copy(x).tolist() == copy.deepcopy(x).tolist() == [1, 2]
    assert np.add(np.ones(2, np.float32), x.numpy()).tolist() == [2, 3]
    assert not hasattr(x, "__array_struct__")

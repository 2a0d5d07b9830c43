"""Activations

As functions and as layers. `inplace=True` writes the result into the input.
"""

from .row import Row, row

X = [(3, 5), (), (2, 0, 3), (2, 4, 3, 1)]

INPLACE = {
    "relu": "ReLU", "relu6": "ReLU6", "hardtanh": "Hardtanh", "leaky_relu": "LeakyReLU", "elu": "ELU",
    "selu": "SELU", "celu": "CELU", "silu": "SiLU", "mish": "Mish", "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
}  # fmt: skip


def both(function: str, layer: str, *settings: str) -> list[Row]:
    """A function and its layer, with each of the settings."""
    calls = [f"F.{function}(x{', ' if given else ''}{given})" for given in settings]
    return [
        row(f"F.{function}", *calls, x=X),
        *(row(f"nn.{layer}", f"nn.{layer}({given})", x=(2, 4, 3), kind="layer") for given in settings),
    ]


ROWS = [
    *both("relu", "ReLU", ""),
    *both("relu6", "ReLU6", ""),
    *both("leaky_relu", "LeakyReLU", "", "0.2", "negative_slope=0.3"),
    *both("elu", "ELU", "", "alpha=0.5"),
    *both("selu", "SELU", ""),
    *both("celu", "CELU", "", "alpha=0.5"),
    *both("silu", "SiLU", ""),
    *both("mish", "Mish", ""),
    *both("gelu", "GELU", "", "approximate='tanh'"),
    *both("hardswish", "Hardswish", ""),
    *both("hardsigmoid", "Hardsigmoid", ""),
    *both("hardtanh", "Hardtanh", "", "-0.5, 0.7", "min_val=-0.3"),
    *both("softplus", "Softplus", "", "2", "beta=3, threshold=1.5"),
    *both("softsign", "Softsign", ""),
    *both("logsigmoid", "LogSigmoid", ""),
    *both("sigmoid", "Sigmoid", ""),
    *both("tanh", "Tanh", ""),
    *both("tanhshrink", "Tanhshrink", ""),
    *both("softshrink", "Softshrink", "", "0.3", "lambd=0.0"),
    *both("hardshrink", "Hardshrink", "", "0.3"),
    *both("threshold", "Threshold", "0.1, 20", "threshold=-0.5, value=2.0"),
    row(
        "F.relu", "y = x * 1; F.relu(y, inplace=True); y", "y = x * 1; nn.ReLU(inplace=True)(y) + y", x=(3, 5)
    ),
    row(
        "F.prelu",
        "F.prelu(x, weight)",
        x=[(2, 3, 4), (2, 3), (4, 2, 2), (), (7,), (2, 3, 5, 4)],
        weight=[(3,), (1,), (2,), (1,), (1,), (3,)],
    ),
    row(
        "nn.PReLU",
        "nn.PReLU()",
        "nn.PReLU(3)",
        "nn.PReLU(num_parameters=3, init=0.1)",
        x=[(2, 3, 4, 2), (4, 3)],
        kind="layer",
    ),
    row("F.glu nn.GLU", "F.glu(x)", "F.glu(x, dim=1)", "nn.GLU(1)(x)", x=(3, 4, 2)),
    *(
        row(
            f"F.{name} nn.{layer}" + (f" {name} Tensor.{name}" if name != "softmin" else ""),
            f"F.{name}(x, dim=-1)",
            f"F.{name}(x, 0)",
            f"F.{name}(x, dim=1, dtype=torch.float64)",
            f"nn.{layer}(dim=1)(x)",
            *((f"x.{name}(-1)", f"torch.{name}(x, dim=0)") if name != "softmin" else ()),
            x=[(3, 5), (2, 3, 4)],
        )
        for name, layer in {"softmax": "Softmax", "log_softmax": "LogSoftmax", "softmin": "Softmin"}.items()
    ),
    row("F.rrelu nn.RReLU", "F.rrelu(x)", "F.rrelu(x, 0.2, 0.4)", "nn.RReLU(0.1, 0.3).eval()(x)", x=X),
    row("nn.Softmax2d", "nn.Softmax2d()(x)", x=(2, 3, 4, 5)),
    *(
        row(
            f"nn.{layer}",
            f"nn.{layer}(inplace=True)(x * 1)",
            f"y = x * 1; F.{function}(y, inplace=True); y",
            x=(3, 5),
        )
        for function, layer in INPLACE.items()
    ),
    # far apart
    row("F.softmax F.log_softmax", "F.softmax(30 * x, dim=1)", "F.log_softmax(30 * x, dim=-1)", x=(3, 4, 2)),
    row(
        " ".join(f"nn.{layer}" for layer in INPLACE.values()),
        *(f"str(nn.{layer}(inplace=True))" for layer in INPLACE.values()),
        grad=False,
    ),
]

"""In place

On a leaf that requires grad they raise RuntimeError, as in PyTorch. Further ones stand with their families.
"""

from .row import NUMBERS, Row, places, positive, row, truth

INTS = ("int64", "int32", "uint8", "bool")


def inplace(names: str, draw=lambda *shape: shape) -> list[Row]:
    """Functions of one Tensor that write the result into it."""
    return [row(f"Tensor.{name}", f"y = x * 1; y.{name}(); y", x=draw(3, 5)) for name in names.split()]


ROWS = [
    *inplace("abs_ ceil_ cos_ erf_ exp_ floor_ neg_ relu_ round_ sigmoid_ sign_ sin_ square_ tanh_ trunc_"),
    *inplace("log_ reciprocal_ rsqrt_ sqrt_", positive),
    row("relu_", "y = x * 1; torch.relu_(y); y", x=(3, 5)),
    row(
        "Tensor.add_",
        "z = x * 1; z.add_(y); z",
        "z = x * 1; z.add_(y, alpha=0.3); z",
        "out = x * 1; out += y; out",
        x=(3, 5),
        y=(5,),
    ),
    row("Tensor.sub_", "z = x * 1; z.sub_(y, alpha=2); z", "out = x * 1; out -= 2; out", x=(3, 5), y=(5,)),
    row("Tensor.mul_", "z = x * 1; z.mul_(y); z", "out = x * 1; out *= y; out", x=(3, 5), y=(5,)),
    row("Tensor.div_", "z = x * 1; z.div_(y); z", "out = x * 1; out /= 2; out", x=(3, 5), y=positive(5)),
    row("Tensor.pow_", "z = x * 1; z.pow_(3); z", "out = x * 1; out **= 2; out", x=positive(3, 5)),
    row(
        "Tensor.remainder_ Tensor.fmod_",
        "z = x * 1; z.remainder_(0.7); z",
        "z = x * 1; z.fmod_(0.7); z",
        "z = x * 1; z %= 0.7; z",
        x=(3, 5),
    ),
    row(
        "Tensor.floor_divide_",
        "z = x + 0; z.floor_divide_(2); z",
        "z = x + 0; z //= 2; z",
        x=(3, 5),
        dtypes=("int64",),
        grad=False,
    ),
    row(
        "Tensor.__iadd__ Tensor.__imul__ Tensor.__isub__",
        "z = x + 0; z += y; z *= 2; z -= 1; z",
        x=(3, 5),
        y=(5,),
        dtypes=NUMBERS,
    ),
    row("Tensor.lerp_", "z = x * 1; z.lerp_(y, 0.3); z", x=(3, 5), y=(5,)),
    row("Tensor.addcmul_", "z = x * 1; z.addcmul_(y, y, value=0.5); z", x=(3, 5), y=(5,)),
    row("Tensor.addcdiv_", "z = x * 1; z.addcdiv_(y, y, value=0.5); z", x=(3, 5), y=positive(5)),
    row(
        "Tensor.clamp_ Tensor.clip_",
        "z = x * 1; z.clamp_(-0.5, 1); z",
        "z = x * 1; z.clip_(max=0.5); z",
        x=(3, 5),
    ),
    row(
        "Tensor.clamp_min_ Tensor.clamp_max_",
        "z = x * 1; z.clamp_min_(0.3); z",
        "z = x * 1; z.clamp_max_(0.3); z",
        x=(3, 5),
    ),
    row("Tensor.masked_fill_", "z = x * 1; z.masked_fill_(mask, 0.5); z", x=(3, 5), mask=truth(5)),
    row("Tensor.fill_ Tensor.zero_", "z = x * 1; z.fill_(2.5); z", "z = x * 1; z.zero_(); z", x=(3, 5)),
    row("Tensor.copy_", "z = x * 1; z.copy_(y); z", x=(3, 5), y=(5,)),
    row(
        "Tensor.__iand__ Tensor.__ior__ Tensor.__ixor__",
        "z = x * 1; z &= y; z",
        "z = x * 1; z |= y; z",
        "z = x * 1; z ^= y; z",
        x=(3, 5),
        y=(5,),
        dtypes=INTS,
        grad=False,
    ),
    row(
        "Tensor.squeeze_ Tensor.unsqueeze_ Tensor.t_ Tensor.transpose_",
        "y = x * 1; y.unsqueeze_(1); y",
        "y = (x * 1).unsqueeze(0); y.squeeze_(); y",
        "y = (x * 1).unsqueeze(0); y.squeeze_(0); y",
        "y = x * 1; y.t_(); y",
        "y = x * 1; y.transpose_(0, 1); y",
        x=(3, 5),
    ),
    row("Tensor.fill_diagonal_", "y = x * 1; y.fill_diagonal_(2.5); y", x=[(3, 5), (4, 4)]),
    row("Tensor.index_add_", "y = x * 1; y.index_add_(0, i, z); y", x=(4, 5), i=places(3, below=4), z=(3, 5)),
]

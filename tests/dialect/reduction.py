"""Reductions

`dim` may be negative, several where PyTorch allows it, and is called `axis` as well; `keepdim=True` keeps it.
"""

from .row import ALL, NUMBERS, Draw, Row, method, places, positive, row

X = [(3, 5), (2, 3, 4), (7,), (3, 1, 4)]
NOTHING = [(), (0,), (0, 3), (2, 0, 3)]
INTS = ("int64", "int32", "uint8")


def over(name: str, *calls: str, **settings) -> Row:
    """A reduction of everything, of the last dimension, of the first and last."""
    return method(
        name, f"x.{name}()", f"x.{name}(-1)", f"x.{name}(dim=0, keepdim=True)", *calls, x=X, **settings
    )


ROWS = [
    over(
        "sum",
        "x.sum([0, -1]) if x.ndim > 1 else x.sum(axis=0)",
        "x.sum(0, dtype=torch.float64)",
        "x.sum((), keepdim=True)",
        "torch.sum(input=x, dim=0)",
    ),
    method(
        "sum",
        "x.sum()",
        "x.sum(0)",
        "x.sum(-1, keepdim=True)",
        "x.sum(0, dtype=torch.float32)",
        "sum(x)",
        x=[(3, 5), (0, 3), (2, 3, 4)],
        dtypes=(*INTS, "bool"),
        grad=False,
    ),
    method("sum", "x.sum()", "x.sum(-1)", "x.sum(0, keepdim=True)", x=[*NOTHING, (3, 0)]),
    over("mean", "x.mean(axis=-1)", "x.mean((0, -1), keepdim=True) if x.ndim > 1 else x.mean(())"),
    method("mean", "x.mean(0, dtype=torch.float32)", x=(3, 5), dtypes=INTS, grad=False),
    over("prod"),
    method(
        "prod", "x.prod()", "x.prod(0)", x=[(3, 2), (0, 3)], dtypes=("int64", "int32", "bool"), grad=False
    ),
    *(
        over(
            name,
            f"x.{name}(unbiased=False)",
            f"x.{name}(0, correction=0)",
            f"x.{name}(-1, unbiased=False, keepdim=True)",
            f"x.{name}(-1, False, True)",
            f"x.{name}(dim=-1, correction=2)",
            f"x.{name}((0, -1)) if x.ndim > 1 else x.{name}([0])",
        )
        for name in ("var", "std")
    ),
    row(
        "var_mean",
        "torch.var_mean(x)",
        "torch.var_mean(x, 0, keepdim=True)",
        "torch.var_mean(x, dim=-1, correction=0)",
        x=X,
    ),
    row("std_mean", "torch.std_mean(x)", "torch.std_mean(x, 0, unbiased=False, keepdim=True)", x=X),
    over("max", "x.max(-1).values", "x.max(-1)[0]"),
    over("min", "x.min(-1).values"),
    method("max", "x.max()", "x.max(0)", "x.max(-1)[1]", x=(3, 5), dtypes=(*INTS, "bool"), grad=False),
    method("min", "x.min()", "x.min(1)", x=(3, 5), dtypes=(*INTS, "bool"), grad=False),
    row(
        "max", "torch.max(x.data, 1)", "_, predicted = torch.max(x.data, 1); predicted", x=(4, 10), grad=False
    ),
    over("amax", "x.amax((0, -1)) if x.ndim > 1 else x.amax(())"),
    over("amin", "x.amin([0, -1]) if x.ndim > 1 else x.amin((), keepdim=True)"),
    method("max", "x.max(-1)", "x.max(-1, keepdim=True)", x=[(), (0, 3), (2, 0, 3)]),
    method("min", "x.min(-1)", "x.min(-1, keepdim=True)", x=[(), (0, 3), (2, 0, 3)]),
    row(
        "amax amin Tensor.amax Tensor.amin",
        "(x * 0).amax(0)",
        "x.sign().amin(-1)",
        x=[(3, 5), (7,)],
        remark="the gradient is shared among equals",
    ),
    method("aminmax", "x.aminmax()", "x.aminmax(dim=0)", "x.aminmax(dim=-1, keepdim=True)", x=X),
    over("argmax", dtypes=NUMBERS, grad=False),
    over("argmin", dtypes=NUMBERS, grad=False),
    method(
        "all",
        "x.all()",
        "x.all(0)",
        "x.all(-1, keepdim=True)",
        "x.all(dim=tuple(range(x.ndim)))",
        x=[(3, 5), (0, 2), (), (2, 0, 3)],
        dtypes=ALL,
        grad=False,
    ),
    method(
        "any",
        "x.any()",
        "x.any(0)",
        "x.any(-1, keepdim=True)",
        "x.any(dim=tuple(range(x.ndim)))",
        "(x > 0.5).any()",
        x=[(3, 5), (0, 2), (), (2, 0, 3)],
        dtypes=ALL,
        grad=False,
    ),
    method("count_nonzero", "x.count_nonzero()", "x.count_nonzero(0)", x=(3, 5), dtypes=ALL, grad=False),
    method("cumsum", "x.cumsum(0)", "x.cumsum(dim=-1)", x=X),
    method(
        "cumsum",
        "x.cumsum(0)",
        "x.cumsum(-1, dtype=torch.float64)",
        x=(3, 5),
        dtypes=(*INTS, "bool"),
        grad=False,
    ),
    method("cumprod", "x.cumprod(0)", "x.cumprod(dim=-1)", x=X),
    row("Tensor.cumsum_", "y = x * 1; y.cumsum_(0); y", x=(3, 5)),
    method("logsumexp", "x.logsumexp(0)", "x.logsumexp(dim=-1, keepdim=True)", x=X),
    method(
        "norm",
        "x.norm()",
        "x.norm(1)",
        "x.norm(3, dim=0)",
        "x.norm(dim=-1, keepdim=True)",
        "x.norm(math.inf)",
        "x.norm(math.inf, 0)",
        "x.norm(-math.inf, -1, keepdim=True)",
        "x.norm(0.5, -1)",
        "x.norm(p=0, dim=-1) * x.sum()",
        x=X,
    ),
    method("norm", "x.norm(p=2, dim=(0, 1))", x=[(3, 5), (2, 3, 4)]),
    method("dist", "x.dist(y)", "x.dist(y, 1)", x=(3, 5), y=positive(5)),
    method("median", "x.median()", "x.median(0)", "x.median(-1, keepdim=True)", x=X),
    method("kthvalue", "x.kthvalue(2)", "x.kthvalue(1, dim=0)", x=X),
    method("sort", "x.sort()", "x.sort(0)", "x.sort(dim=-1, descending=True)", x=X),
    method("sort", "x.sort()", "x.sort(0, descending=True)", x=(3, 5), dtypes=INTS, grad=False),
    method(
        "argsort",
        "x.argsort()",
        "x.argsort(0, descending=True)",
        "x.argsort(dim=-1)",
        x=X,
        dtypes=NUMBERS,
        grad=False,
    ),
    method(
        "topk",
        "x.topk(2)",
        "x.topk(1, dim=0)",
        "x.topk(3, largest=False)",
        "x.topk(2, 0, True, True)",
        "x.topk(0)",
        "x.topk(x.shape[-1], -1)",
        x=[(3, 5), (2, 3, 4), (7,)],
    ),
    method(
        "unique",
        "x.unique()",
        "x.unique(return_counts=True)",
        "x.unique(return_inverse=True)",
        "x.unique(return_inverse=True, return_counts=True)",
        x=Draw((4, 3), limit=4),
        dtypes=("int64", "uint8", "bool"),
        grad=False,
    ),
    method(
        "bincount",
        "x.bincount()",
        "x.bincount(minlength=9)",
        x=Draw((7,), limit=5),
        dtypes=("int64", "uint8"),
        grad=False,
    ),
    row("bincount", "torch.bincount(i, x.detach(), 6)", x=(7,), i=places(7, below=5), grad=False),
    method("trace", "x.trace()", x=[(3, 3), (3, 5)]),
    # one element, and none
    row(
        "cumsum cumprod prod sort topk median kthvalue logsumexp norm flip var max",
        "x.cumsum(1)",
        "x.cumprod(1)",
        "x.prod(1)",
        "x.sort(1)",
        "x.topk(1, 1)",
        "x.median(1)",
        "x.kthvalue(1, 1)",
        "x.logsumexp(1)",
        "x.norm(dim=1)",
        "x.flip(1)",
        "x.var(1, correction=0)",
        "x.max(1)",
        x=(2, 1, 4),
    ),
    row(
        "cumsum cumprod prod sort logsumexp norm flip dist mean",
        "x.cumsum(0)",
        "x.cumprod(-1)",
        "x.prod()",
        "x.prod(0, keepdim=True)",
        "x.sort(-1)",
        "x.sort(0, descending=True)",
        "x.logsumexp(0)",
        "x.norm()",
        "x.norm(dim=0)",
        "x.norm(1, -1)",
        "x.norm(3, -1, keepdim=True)",
        "x.norm(0.5, 0)",
        "x.flip(0)",
        "x.dist(x * 3 - 1)",
        "x.mean(0)",
        x=NOTHING,
    ),
]

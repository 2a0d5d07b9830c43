"""Normalization and dropout

Dropout's zeros are drawn from minicnn's generator, so they fall elsewhere than PyTorch's with the same seed.
"""

from .row import constant, row

ROWS = [
    row(
        "F.batch_norm",
        "F.batch_norm(x, None, None, training=True)",
        "F.batch_norm(x, None, None, weight, bias, True, eps=1e-3)",
        x=[(2, 3, 4, 5), (4, 3), (2, 3, 5)],
        weight=(3,),
        bias=(3,),
    ),
    row(
        "F.batch_norm",
        "F.batch_norm(x, mean, var)",
        "F.batch_norm(x, mean, var, weight, bias, training=True, momentum=0.3)",
        x=[(2, 3, 4, 5), (4, 3)],
        mean=constant(3),
        var=constant(3, kind="positive"),
        weight=(3,),
        bias=(3,),
    ),
    row(
        "nn.BatchNorm2d",
        "nn.BatchNorm2d(3)",
        "nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)",
        "nn.BatchNorm2d(3, affine=False)",
        "nn.BatchNorm2d(3, momentum=None)",
        "nn.BatchNorm2d(3, track_running_stats=False)",
        x=(2, 3, 4, 5),
        kind="layer",
    ),
    row("nn.BatchNorm1d", "nn.BatchNorm1d(3)", x=[(4, 3), (2, 3, 5)], kind="layer"),
    row(
        "F.instance_norm",
        "F.instance_norm(x)",
        "F.instance_norm(x, weight=weight, bias=bias, eps=1e-3)",
        x=[(2, 3, 4, 5), (2, 3, 7)],
        weight=(3,),
        bias=(3,),
    ),
    row(
        "nn.InstanceNorm2d",
        "nn.InstanceNorm2d(3)",
        "nn.InstanceNorm2d(3, affine=True)",
        "nn.InstanceNorm2d(3, track_running_stats=True)",
        x=[(2, 3, 4, 5), (3, 4, 5)],
        kind="layer",
    ),
    row(
        "nn.InstanceNorm1d",
        "nn.InstanceNorm1d(3)",
        "nn.InstanceNorm1d(3, affine=True)",
        x=(2, 3, 7),
        kind="layer",
    ),
    row(
        "F.layer_norm",
        "F.layer_norm(x, (5,))",
        "F.layer_norm(x, [4, 5])",
        "F.layer_norm(x, (5,), weight, bias, 1e-3)",
        x=[(2, 4, 5), (4, 5)],
        weight=(5,),
        bias=(5,),
    ),
    row(
        "nn.LayerNorm",
        "nn.LayerNorm(5)",
        "nn.LayerNorm((4, 5), eps=1e-3)",
        "nn.LayerNorm([5], elementwise_affine=False)",
        "nn.LayerNorm(5, bias=False)",
        x=(2, 4, 5),
        kind="layer",
    ),
    row(
        "F.group_norm",
        "F.group_norm(x, 2)",
        "F.group_norm(x, 2, weight, bias, eps=1e-3)",
        x=[(2, 4, 3, 2), (3, 8)],
        weight=[(4,), (8,)],
        bias=[(4,), (8,)],
    ),
    row(
        "nn.GroupNorm",
        "nn.GroupNorm(2, 4)",
        "nn.GroupNorm(1, 4, affine=False)",
        x=[(2, 4, 3, 2), (2, 4, 5)],
        kind="layer",
    ),
    row(
        "F.local_response_norm",
        "F.local_response_norm(x, 3)",
        "F.local_response_norm(x, 2, alpha=0.1, beta=0.5, k=2)",
        x=[(2, 5, 3, 2), (2, 4, 3)],
    ),
    row(
        "nn.LocalResponseNorm",
        "nn.LocalResponseNorm(3)",
        "nn.LocalResponseNorm(size=2, alpha=0.3, k=2.0)",
        x=(2, 5, 3, 2),
        kind="layer",
    ),
    row(
        "F.normalize",
        "F.normalize(x)",
        "F.normalize(x, dim=0)",
        "F.normalize(x, p=1, dim=-1)",
        x=[(3, 5), (2, 3, 4)],
    ),
    row(
        "F.cosine_similarity nn.CosineSimilarity",
        "nn.CosineSimilarity(dim=-1)(x, y)",
        "F.cosine_similarity(x, y)",
        "F.cosine_similarity(x, y, dim=0)",
        x=(3, 5),
        y=(3, 5),
    ),
    *(
        row(
            f"F.{function} nn.{layer}",
            f"F.{function}(x, 0.3, training=False)",
            f"F.{function}(x, p=0.0)",
            f"F.{function}(x, 1.0)",
            f"nn.{layer}(0.4).eval()(x)",
            f"nn.{layer}(p=0.0)(x)",
            x=shape,
        )
        for function, layer, shape in (
            ("dropout", "Dropout", (3, 5)),
            ("dropout1d", "Dropout1d", (2, 3, 4)),
            ("dropout2d", "Dropout2d", (2, 3, 4, 5)),
        )
    ),
    row(
        "F.dropout nn.Dropout",
        "F.dropout(torch.ones(100, 100), 0.3)",
        "nn.Dropout(0.2)(torch.ones(100, 100))",
        kind="random",
        grad=False,
    ),
    row(
        "F.dropout2d nn.Dropout2d",
        "F.dropout2d(torch.ones(100, 100, 1, 1), 0.3)",
        "nn.Dropout2d()(torch.ones(100, 100, 1, 1))",
        kind="random",
        grad=False,
    ),
    row(
        "F.dropout1d nn.Dropout1d",
        "F.dropout1d(torch.ones(100, 100, 1), 0.3)",
        "nn.Dropout1d()(torch.ones(100, 100, 1))",
        kind="random",
        grad=False,
    ),
]

"""Losses

As functions and as layers; `reduction` is "mean", "sum" or "none".
"""

from .row import Row, constant, places, positive, row, share, sign, unit

X = [(3, 5), (4,), (), (2, 3, 5, 4)]
TARGETS = [share(*shape) for shape in X]


def pair(function: str, layer: str, *settings: str, x=X, y=TARGETS) -> Row:
    """A loss of two like Tensors, with each of the settings and reductions."""
    given = ["", "reduction='sum'", "reduction='none'", *settings]
    calls = [f"F.{function}(x, y{', ' if s else ''}{s})" for s in given]
    return row(f"F.{function} nn.{layer}", *calls, *(f"nn.{layer}({s})(x, y)" for s in given), x=x, y=y)


def weighted(function: str) -> Row:
    """A loss with a weight for each element."""
    calls = [f"F.{function}(x, y, reduction='{how}', weight=weight)" for how in ("mean", "sum", "none")]
    return row(f"F.{function}", *calls, x=(3, 5), y=positive(3, 5), weight=share(3, 5))


ROWS = [
    pair("mse_loss", "MSELoss", y=X),
    pair("l1_loss", "L1Loss", y=X),
    pair("smooth_l1_loss", "SmoothL1Loss", "beta=0.3", "beta=0", y=X),
    pair("huber_loss", "HuberLoss", "delta=0.4", "delta=2.5, reduction='sum'", y=X),
    *map(weighted, ("mse_loss", "l1_loss", "huber_loss")),
    pair("binary_cross_entropy", "BCELoss", x=TARGETS),
    row(
        "F.binary_cross_entropy",
        "F.binary_cross_entropy(x, y, weight)",
        "F.binary_cross_entropy(x, y, weight, reduction='sum')",
        "F.binary_cross_entropy(x, y, weight=weight, reduction='none')",
        "nn.BCELoss(weight)(x, y)",
        x=[share(3, 5), share(2, 3, 5)],
        y=[share(3, 5), share(2, 3, 5)],
        weight=constant(5),
    ),
    pair("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"),
    row(
        "F.binary_cross_entropy_with_logits nn.BCEWithLogitsLoss",
        "F.binary_cross_entropy_with_logits(x, y, weight)",
        "F.binary_cross_entropy_with_logits(x, y, pos_weight=weight, reduction='sum')",
        "F.binary_cross_entropy_with_logits(x, y, z, reduction='none', pos_weight=weight)",
        "nn.BCEWithLogitsLoss(pos_weight=weight)(x, y)",
        "nn.BCEWithLogitsLoss(weight, pos_weight=weight, reduction='none')(x, y)",
        x=[(3, 5), (2, 3, 5)],
        y=[share(3, 5), share(2, 3, 5)],
        z=constant(3, 5),
        weight=constant(5, kind="positive"),
    ),
    row(
        "F.kl_div nn.KLDivLoss",
        "F.kl_div(x, y, reduction='batchmean')",
        "F.kl_div(x, y, reduction='sum')",
        "F.kl_div(x, y, reduction='none')",
        "F.kl_div(x, y, reduction='batchmean', log_target=True)",
        "F.kl_div(x, y, reduction='none', log_target=True)",
        "nn.KLDivLoss(reduction='batchmean')(x, y)",
        "nn.KLDivLoss(reduction='sum', log_target=True)(x, y)",
        x=[(3, 5), (4,), (2, 3, 5, 4)],
        y=[share(3, 5), share(4), share(2, 3, 5, 4)],
        remark='`reduction="mean"` warns, as in PyTorch',
    ),
    row(
        "F.cross_entropy",
        "F.cross_entropy(x, i)",
        "F.cross_entropy(x, i, reduction='sum')",
        "F.cross_entropy(x, i, reduction='none')",
        "F.cross_entropy(x, i, ignore_index=1)",
        "F.cross_entropy(x, i, label_smoothing=0.1)",
        x=[(4, 3), (3,), (2, 3, 4), (2, 3, 2, 5)],
        i=[places(4, below=3), places(below=3), places(2, 4, below=3), places(2, 2, 5, below=3)],
    ),
    row(
        "F.cross_entropy",
        "F.cross_entropy(x, i, weight)",
        "F.cross_entropy(x, i, weight=weight, label_smoothing=0.2, ignore_index=0)",
        "F.cross_entropy(x, i, weight, reduction='none')",
        x=[(4, 3), (2, 3, 4)],
        i=[places(4, below=3), places(2, 4, below=3)],
        weight=constant(3),
    ),
    row(
        "F.cross_entropy",
        "F.cross_entropy(x, y)",
        "F.cross_entropy(x, y, reduction='none')",
        "F.cross_entropy(x, y, weight, reduction='sum')",
        "F.cross_entropy(x, y, weight, label_smoothing=0.1)",
        "F.cross_entropy(x, y, label_smoothing=0.3, reduction='none')",
        "nn.CrossEntropyLoss(weight)(x, y)",
        x=[(4, 3), (3,), (2, 3, 4), (2, 3, 4, 2)],
        y=[share(4, 3), share(3), share(2, 3, 4), share(2, 3, 4, 2)],
        weight=constant(3),
        remark="class probabilities",
    ),
    row(
        "nn.CrossEntropyLoss",
        "nn.CrossEntropyLoss()(x, i)",
        "nn.CrossEntropyLoss(weight, label_smoothing=0.1)(x, i)",
        "nn.CrossEntropyLoss(ignore_index=2, reduction='sum')(x, i)",
        x=(4, 3),
        i=places(4, below=3),
        weight=constant(3),
    ),
    row(
        "F.nll_loss nn.NLLLoss",
        "F.nll_loss(x, i)",
        "F.nll_loss(x, i, weight, reduction='sum')",
        "F.nll_loss(x, i, reduction='none', ignore_index=1)",
        "nn.NLLLoss(weight)(x, i)",
        x=[(4, 3), (3,), (2, 3, 4)],
        i=[places(4, below=3), places(below=3), places(2, 4, below=3)],
        weight=constant(3),
    ),
    pair("soft_margin_loss", "SoftMarginLoss", x=X[:2], y=[sign(3, 5), sign(4)]),
    pair(
        "hinge_embedding_loss",
        "HingeEmbeddingLoss",
        "margin=0.5",
        "margin=1.3, reduction='none'",
        x=X[:2],
        y=[sign(3, 5), sign(4)],
    ),
    pair(
        "multilabel_soft_margin_loss",
        "MultiLabelSoftMarginLoss",
        x=X[:2],
        y=TARGETS[:2],
    ),
    row(
        "F.multilabel_soft_margin_loss",
        *(
            f"F.multilabel_soft_margin_loss(x, y, weight, reduction='{how}')"
            for how in ("mean", "sum", "none")
        ),
        x=(3, 5),
        y=share(3, 5),
        weight=constant(5, kind="positive"),
    ),
    row(
        "F.margin_ranking_loss nn.MarginRankingLoss",
        "F.margin_ranking_loss(x, y, z)",
        "F.margin_ranking_loss(x, y, z, 0.7, reduction='none')",
        "F.margin_ranking_loss(x, y, z, margin=0.4, reduction='sum')",
        "nn.MarginRankingLoss(margin=0.3, reduction='none')(x, y, z)",
        x=[positive(7), positive(3, 4)],
        y=[(7,), (3, 4)],
        z=[sign(7), sign(3, 4)],
    ),
    row(
        "F.triplet_margin_loss nn.TripletMarginLoss F.pairwise_distance nn.PairwiseDistance",
        "F.triplet_margin_loss(x, y, z)",
        "nn.TripletMarginLoss(margin=0.3, p=1, reduction='none')(x, y, z)",
        "F.triplet_margin_loss(x, y, z, swap=True, reduction='sum')",
        "F.pairwise_distance(x, y)",
        "nn.PairwiseDistance(p=1, keepdim=True)(x, z)",
        "nn.TripletMarginLoss(2.5, p=1.0, swap=True)(x, y, z)",
        "F.triplet_margin_loss(x, y, z, margin=3.0, swap=True, reduction='none')",
        "F.triplet_margin_loss(x, y, z, margin=2.5, p=1, reduction='sum')",
        x=[(4, 5), (5,), (2, 3, 5)],
        y=[positive(4, 5), positive(5), positive(2, 3, 5)],
        z=[unit(4, 5), unit(5), unit(2, 3, 5)],
    ),
    row(
        "F.pairwise_distance nn.PairwiseDistance",
        "F.pairwise_distance(x, y)",
        *(
            f"nn.PairwiseDistance({p}, keepdim={keep})(x, y)"
            for p in (1.0, 2.0, 3.0)
            for keep in (False, True)
        ),
        x=[(4,), (3, 4), (2, 1, 4)],
        y=[positive(4), positive(4), positive(3, 4)],
    ),
    row(
        "F.cosine_embedding_loss nn.CosineEmbeddingLoss",
        "F.cosine_embedding_loss(x, y, z)",
        "nn.CosineEmbeddingLoss(margin=0.2, reduction='none')(x, y, z)",
        "F.cosine_embedding_loss(x, y, z, 0.3, reduction='sum')",
        x=[(4, 5), (5,)],
        y=[positive(4, 5), positive(5)],
        z=[sign(4), sign()],
    ),
    row(
        "nn.CrossEntropyLoss nn.NLLLoss",
        "nn.CrossEntropyLoss(weight, reduction='sum', ignore_index=1, label_smoothing=0.1)(x, i)",
        "nn.NLLLoss(weight, reduction='none', ignore_index=2)(x, i)",
        "str(nn.CrossEntropyLoss(reduction='sum', label_smoothing=0.1)), nn.NLLLoss()(x, i)",
        x=(4, 3),
        i=places(4, below=3),
        weight=constant(3, kind="positive"),
    ),
    row(
        "nn.MarginRankingLoss nn.HingeEmbeddingLoss nn.CosineEmbeddingLoss nn.SoftMarginLoss "
        "nn.MultiLabelSoftMarginLoss nn.TripletMarginLoss nn.PairwiseDistance",
        *(
            f"str(nn.{layer})"
            for layer in (
                "MarginRankingLoss(margin=0.5)",
                "HingeEmbeddingLoss()",
                "CosineEmbeddingLoss(margin=0.2)",
                "SoftMarginLoss()",
                "MultiLabelSoftMarginLoss()",
                "TripletMarginLoss(margin=2.0)",
                "PairwiseDistance(2.0)",
            )
        ),
        grad=False,
    ),
]

"""Pooling"""

from .row import row

X = [(2, 3, 7, 5), (1, 6, 8)]
WINDOWS = (
    "(3, 2), (2, 1), 1",
    "[3, 3], [2, 3], (1, 0), ceil_mode=True",
    "2, 3, ceil_mode=True",
    "3, 2, 1, ceil_mode=True",
    "3, 1",
    "(4, 5)",
)

ROWS = [
    row(
        "F.max_pool2d",
        "F.max_pool2d(x, 2)",
        "F.max_pool2d(x, (3, 2), stride=(1, 2))",
        "F.max_pool2d(x, 3, 2, 1)",
        "F.max_pool2d(x, 2, stride=2, ceil_mode=True)",
        "F.max_pool2d(x, 2, dilation=2)",
        "F.max_pool2d(x, 2, return_indices=True)",
        "F.max_pool2d(x, (3, 2), 2, 1, return_indices=True)",
        *(f"F.max_pool2d(x, {window})" for window in WINDOWS),
        x=X,
        remark="a window that lies wholly in padding is refused",
    ),
    row("F.max_pool2d", "F.max_pool2d(x, (3, 2), 2, 1, dilation=(2, 3))", x=(2, 2, 9, 8)),
    row(
        "nn.MaxPool2d",
        "nn.MaxPool2d(2)",
        "nn.MaxPool2d(kernel_size=3, stride=2, padding=1)",
        "nn.MaxPool2d((2, 3), ceil_mode=True)",
        x=X,
        kind="layer",
    ),
    row(
        "F.avg_pool2d",
        "F.avg_pool2d(x, 2)",
        "F.avg_pool2d(x, (3, 2), stride=(1, 2))",
        "F.avg_pool2d(x, 3, 2, 1)",
        "F.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True, count_include_pad=False)",
        "F.avg_pool2d(x, 2, divisor_override=3)",
        *(
            f"F.avg_pool2d(x, {window}{more})"
            for window in WINDOWS
            for more in ("", ", count_include_pad=False", ", divisor_override=3")
        ),
        x=X,
    ),
    row(
        "nn.AvgPool2d",
        "nn.AvgPool2d(2)",
        "nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)",
        x=X,
        kind="layer",
    ),
    row(
        "F.adaptive_avg_pool2d",
        "F.adaptive_avg_pool2d(x, 1)",
        "F.adaptive_avg_pool2d(x, (3, 4))",
        "F.adaptive_avg_pool2d(x, (None, 2))",
        *(f"F.adaptive_avg_pool2d(x, {size})" for size in ("3", "(2, 5)", "[4, None]", "(7, 9)")),
        x=[*X, (1, 1, 1, 1)],
    ),
    row(
        "nn.AdaptiveAvgPool2d",
        "nn.AdaptiveAvgPool2d(1)",
        "nn.AdaptiveAvgPool2d((2, 3))",
        "nn.AdaptiveAvgPool2d((1, None))",
        x=X,
        kind="layer",
    ),
    row(
        "F.adaptive_max_pool2d",
        "F.adaptive_max_pool2d(x, 1)",
        "F.adaptive_max_pool2d(x, (3, 4))",
        "F.adaptive_max_pool2d(x, 2, return_indices=True)",
        "F.adaptive_max_pool2d(x, (3, 4), return_indices=True)",
        *(f"F.adaptive_max_pool2d(x, {size})" for size in ("3", "(None, 2)", "[4, None]", "(7, 9)")),
        x=[*X, (1, 1, 1, 1)],
    ),
    row("nn.AdaptiveMaxPool2d", "nn.AdaptiveMaxPool2d(1)", "nn.AdaptiveMaxPool2d((2, 3))", x=X, kind="layer"),
    row(
        "F.max_pool1d nn.MaxPool1d",
        "F.max_pool1d(x, 2)",
        "F.max_pool1d(x, 3, stride=1, padding=1)",
        "F.max_pool1d(x, 3, 2, ceil_mode=True, return_indices=True)",
        "nn.MaxPool1d(3, dilation=2)(x)",
        x=[(2, 3, 8), (3, 7)],
    ),
    row(
        "F.avg_pool1d nn.AvgPool1d",
        "F.avg_pool1d(x, 2)",
        "F.avg_pool1d(x, 3, 2, padding=1, ceil_mode=True, count_include_pad=False)",
        "nn.AvgPool1d(3, stride=1)(x)",
        x=[(2, 3, 8), (3, 7)],
    ),
    row(
        "F.adaptive_avg_pool1d nn.AdaptiveAvgPool1d F.adaptive_max_pool1d nn.AdaptiveMaxPool1d",
        "F.adaptive_avg_pool1d(x, 3)",
        "nn.AdaptiveAvgPool1d(1)(x)",
        "F.adaptive_max_pool1d(x, 3)",
        "nn.AdaptiveMaxPool1d(2, return_indices=True)(x)",
        x=[(2, 3, 8), (3, 7)],
    ),
    row(
        "nn.MaxPool2d",
        "nn.MaxPool2d((3, 2), 2, padding=1, dilation=(1, 2), ceil_mode=True)",
        x=(3, 6, 7),
        kind="layer",
    ),
    row(
        "nn.AvgPool2d",
        "nn.AvgPool2d(3, (2, 1), 1, True, False)",
        "nn.AvgPool2d(2, divisor_override=3)",
        x=(2, 1, 6, 5),
        kind="layer",
    ),
]

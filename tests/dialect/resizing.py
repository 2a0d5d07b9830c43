"""Padding, resizing and patches"""

from .row import places, row

X = [(2, 3, 5, 4), (1, 2, 4, 6)]

ROWS = [
    row(
        "F.pad",
        "F.pad(x, (1, 2))",
        "F.pad(x, [0, 1, 2, 0], value=0.5)",
        "F.pad(x, (1, 1, 1, 1, 2, 0))",
        "F.pad(x, (-1, 2), mode='constant')",
        "F.pad(x, (1, 2, 0, 1), 'constant', 2)",
        x=X,
    ),
    row(
        "F.pad",
        "F.pad(x, (1, 2, 3, 0), mode='reflect')",
        "F.pad(x, (1, 2, 3, 0), mode='replicate')",
        "F.pad(x, (1, 2, 3, 0), mode='circular')",
        x=[(2, 3, 5, 4), (3, 4, 6)],
    ),
    row("F.pad", "F.pad(x, (1, 2), mode='reflect')", "F.pad(x, (1, 2), 'replicate')", x=[(2, 3, 4), (3, 4)]),
    *(
        row(
            f"nn.{layer}",
            f"nn.{layer}({first}1)",
            f"nn.{layer}({first}(1, 2, 0, 3))".replace(
                "(1, 2, 0, 3)", "padding=(1, 2, 0, 3)" if not first else "(1, 2, 0, 3)"
            ),
            x=(2, 3, 5, 4),
            kind="layer",
        )
        if not last
        else row(
            f"nn.{layer}",
            f"nn.{layer}(1, {last})",
            f"nn.{layer}((1, 2, 0, 3), {last})",
            x=(2, 3, 5, 4),
            kind="layer",
        )
        for layer, first, last in (
            ("ZeroPad2d", "", ""),
            ("ReflectionPad2d", "", ""),
            ("ReplicationPad2d", "", ""),
            ("CircularPad2d", "", ""),
            ("ConstantPad2d", "", "2.5"),
        )
    ),
    row(
        "F.interpolate",
        "F.interpolate(x, scale_factor=2)",
        "F.interpolate(x, size=(7, 3))",
        "F.interpolate(x, 3, mode='nearest')",
        "F.interpolate(x, scale_factor=(1.5, 2.5), mode='bilinear')",
        "F.interpolate(x, size=(7, 3), mode='bilinear', align_corners=False)",
        "F.interpolate(x, size=(7, 3), mode='bilinear', align_corners=True)",
        "F.interpolate(x, scale_factor=0.5, mode='bilinear')",
        x=X,
    ),
    row(
        "nn.Upsample",
        "nn.Upsample(scale_factor=2)",
        "nn.Upsample(size=(7, 3), mode='bilinear', align_corners=True)",
        "nn.Upsample(scale_factor=(2, 1.5), mode='bilinear')",
        x=X,
        kind="layer",
    ),
    row("nn.Unfold", "nn.Unfold(2, stride=2)", "nn.Unfold((3, 2), padding=1)", x=X, kind="layer"),
    row("nn.Fold", "nn.Fold((5, 4), 2)", "nn.Fold((4, 5), 2, padding=0)", x=(2, 8, 12), kind="layer"),
    row("nn.Fold", "nn.Fold((3, 4), 2, padding=1)", x=(2, 8, 20), kind="layer"),
    row("nn.PixelShuffle", "nn.PixelShuffle(2)", x=(2, 4, 5, 7), kind="layer"),
    row("nn.PixelUnshuffle", "nn.PixelUnshuffle(2)", x=(2, 4, 6, 4), kind="layer"),
    row("nn.Unflatten", "nn.Unflatten(1, (2, 2))", "nn.Unflatten(-1, (5, 1))", x=(2, 4, 5), kind="layer"),
    row(
        "F.unfold",
        "F.unfold(x, 2)",
        "F.unfold(x, (3, 2), dilation=1, padding=(1, 0), stride=2)",
        x=X,
    ),
    row(
        "F.fold",
        "F.fold(x, (5, 4), 2)",
        "F.fold(x, output_size=(4, 5), kernel_size=2)",
        x=(2, 8, 12),
    ),
    row("F.fold", "F.fold(x, (5, 3), (2, 3), dilation=1, padding=(1, 0), stride=(2, 1))", x=(1, 12, 3)),
    row(
        "F.pixel_shuffle",
        "F.pixel_shuffle(x, 2)",
        x=[(2, 8, 3, 2), (4, 1, 3)],
    ),
    row(
        "F.pixel_unshuffle",
        "F.pixel_unshuffle(x, 2)",
        x=[(2, 3, 4, 6), (1, 2, 4)],
    ),
    row(
        "F.one_hot",
        "F.one_hot(i)",
        "F.one_hot(i, 5)",
        "F.one_hot(i, num_classes=3)",
        i=[places(4, below=3), places(2, 3, below=3), places(below=3)],
        grad=False,
    ),
    row(
        "F.embedding",
        "F.embedding(i, weight)",
        i=[places(2, 4, below=5), places(below=5), places(0, 3, below=5)],
        weight=(5, 3),
    ),
    row(
        "nn.Embedding",
        "nn.Embedding(6, 3)",
        i=places(2, 4, below=6),
        kind="layer",
    ),
    row(
        "nn.Embedding",
        "nn.Embedding(6, 3, padding_idx=0)",
        "nn.Embedding(6, 3, -4)",
        i=places(2, 4, below=6),
        kind="layer",
        differences=False,
        remark="no gradient for the row of the padding",
    ),
    row(
        "F.embedding",
        "F.embedding(i, weight, padding_idx=1)",
        "F.embedding(i, weight, padding_idx=-1)",
        i=places(2, 4, below=5),
        weight=(5, 3),
        differences=False,
    ),
    row(
        "nn.Flatten",
        "nn.Flatten()",
        "nn.Flatten(2)",
        "nn.Flatten(start_dim=0, end_dim=1)",
        x=(2, 3, 4),
        kind="layer",
    ),
    row(
        "nn.Identity",
        "nn.Identity()(x)",
        "nn.Identity(54, unused=1)(x)",
        x=(2, 6, 3),
    ),
    row(
        "F.channel_shuffle nn.ChannelShuffle",
        "F.channel_shuffle(x, 2)",
        "nn.ChannelShuffle(3)(x)",
        x=(2, 6, 3, 2),
    ),
    row(
        "nn.ZeroPad1d nn.ConstantPad1d nn.ReflectionPad1d nn.ReplicationPad1d nn.CircularPad1d",
        "nn.ZeroPad1d(2)(x)",
        "nn.ConstantPad1d((1, 2), 0.5)(x)",
        "nn.ReflectionPad1d((1, 2))(x)",
        "nn.ReplicationPad1d((2, 0))(x)",
        "nn.CircularPad1d(1)(x)",
        x=[(2, 3, 5), (3, 4)],
    ),
    row(
        "nn.UpsamplingNearest2d nn.UpsamplingBilinear2d",
        "nn.UpsamplingNearest2d(scale_factor=2)(x)",
        "nn.UpsamplingBilinear2d(size=(7, 3))(x)",
        x=X,
    ),
    # borders, every mode
    row(
        "F.pad",
        "F.pad(x, (1, 2, 3, 0))",
        "F.pad(x, (1, 2), value=-1.5)",
        "F.pad(x, (-1, 2, -2, -1), value=3)",
        "F.pad(x, (6, 2, 4, 0), 'reflect')",
        "F.pad(x, (9, 2, 4, 6), 'replicate')",
        "F.pad(x, (-1, 2, 4, -2), 'replicate')",
        "F.pad(x, (7, 2, 1, 5), 'circular')",
        x=(2, 3, 5, 7),
    ),
    row("F.pad", "F.pad(x, [1, 0, 0, 2, 4, 1], value=0.0)", "F.pad(x, (4, 3), 'reflect')", x=(2, 3, 5)),
    row("F.pad", "F.pad(x, (0, 3), value=2.0)", x=(4,)),
    row("F.pad", "F.pad(x, ())", x=(3, 4)),
    row("F.pad", "F.pad(x, (1, 1, 2, 3), 'reflect')", x=(3, 5, 7)),
    row("F.pad", "F.pad(x, (0, 3), 'replicate')", x=(2, 3, 1)),
    row("F.pad", "F.pad(x, (1, 2, 0, 1, 2, 2), 'reflect')", x=(1, 2, 3, 2, 4)),
    *(
        row(
            "F.interpolate",
            *(
                f"F.interpolate(x, {to}, mode='{mode}'{corners})"
                for to in (
                    "size=(9, 4)",
                    "size=8",
                    "size=(5, 7)",
                    "size=(1, 1)",
                    "size=(3, 20)",
                    "scale_factor=2",
                    "scale_factor=(1.7, 0.6)",
                    "scale_factor=2.3, recompute_scale_factor=True",
                )
            ),
            x=(1, 2, 5, 7),
        )
        for mode, corners in (
            ("nearest", ""),
            ("nearest-exact", ""),
            ("area", ""),
            ("bilinear", ""),
            ("bilinear", ", align_corners=False"),
            ("bilinear", ", align_corners=True"),
        )
    ),
    row(
        "F.interpolate",
        "F.interpolate(x, scale_factor=1.5)",
        "F.interpolate(x, scale_factor=1.5, mode='linear')",
        x=(2, 3, 5),
    ),
    row(
        "F.interpolate",
        "F.interpolate(x, scale_factor=1.5)",
        "F.interpolate(x, scale_factor=1.5, mode='trilinear')",
        x=(1, 2, 3, 4, 2),
    ),
    row(
        "F.affine_grid",
        "F.affine_grid(x, (2, 3, 4, 5), align_corners=False)",
        "F.affine_grid(x, torch.Size((2, 1, 5, 2)), align_corners=True)",
        "F.affine_grid(x, [2, 1, 1, 1], align_corners=False)",
        x=(2, 2, 3),
    ),
    row(
        "F.grid_sample",
        *(
            f"F.grid_sample(x, grid, padding_mode={padding!r}, align_corners={corners})"
            for padding in ("zeros", "border", "reflection")
            for corners in (False, True)
        ),
        x=[(2, 3, 5, 7), (2, 1, 1, 4)],
        grid=(2, 6, 4, 2),
    ),
    row(
        "F.grid_sample",
        *(
            f"F.grid_sample(x, grid, 'nearest', {padding!r}, {corners})"
            for padding in ("zeros", "border", "reflection")
            for corners in (False, True)
        ),
        x=(2, 3, 5, 7),
        grid=(2, 6, 4, 2),
    ),
    row("F.unfold", "F.unfold(x, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(3, 2))", x=(3, 5, 7)),
    row("F.fold", "F.fold(x, (5, 7), (2, 3), stride=(2, 1), padding=(1, 2), dilation=(3, 2))", x=(18, 14)),
    row("F.unfold", "F.unfold(x, 1)", "F.fold(x.flatten(-2), (1, 1), 1)", x=(1, 1, 1, 1)),
    row("F.pixel_shuffle", "F.pixel_shuffle(x, 3)", x=(9, 2, 3)),
    row("F.pixel_unshuffle", "F.pixel_unshuffle(x, 3)", x=(2, 1, 3, 6, 9)),
]

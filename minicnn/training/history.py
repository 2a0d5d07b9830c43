"""What happened in each epoch of a training."""

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from minicnn.interop.atomic import write_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_CURVES = ("seconds", "images_per_second")


class History(dict[str, list[float]]):
    """The figures of every epoch: ``history["val_accuracy"][-1]`` is the last epoch's.

    Keys are "loss" and the metrics ("accuracy"), averaged over the epoch's training batches while the
    weights changed; "val_loss", "val_accuracy" measured after the epoch, where there was a validation set;
    "seconds" of training and "images_per_second". A figure that an epoch does not have is NaN.
    """

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return max((len(values) for values in self.values()), default=0)

    def append(self, **figures: float) -> None:
        """Add the figures of one more epoch."""
        epochs = self.epochs
        for name in figures:
            self.setdefault(name, [math.nan] * epochs)
        for name, values in self.items():
            values.append(float(figures.get(name, math.nan)))

    def __repr__(self) -> str:
        widths = {name: max(len(name), 8) for name in self}
        lines = ["epoch  " + "  ".join(f"{name:>{width}}" for name, width in widths.items())]
        for epoch in range(self.epochs):
            cells = (f"{_short(name, self[name][epoch]):>{width}}" for name, width in widths.items())
            lines.append(f"{epoch + 1:>5}  " + "  ".join(cells))
        return "\n".join(lines) if self else "History: no epochs yet"

    def plot(self, path: str | os.PathLike[str] | None = None) -> "Figure":
        """Draw the loss and each metric side by side, training and validation against the epoch.

        Parameters
        ----------
        path : path, optional
            Where to save the picture; its ending chooses the format (.png, .pdf, .svg, ...).

        Returns
        -------
        matplotlib.figure.Figure
            The drawing; it needs no display and leaves pyplot alone.
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        curves = [name for name in self if name not in NOT_CURVES and not name.startswith("val_")] or ["loss"]
        figure = Figure(figsize=(5 * len(curves), 4), layout="constrained")
        epochs = range(1, self.epochs + 1)
        for place, name in enumerate(curves, 1):
            axes = figure.add_subplot(1, len(curves), place)
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                if key in self:
                    axes.plot(epochs, self[key], marker="o", markersize=4, label=label)
            axes.set(title=name.capitalize(), xlabel="epoch", ylabel=name)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.grid(alpha=0.3)
            if self:
                axes.legend()
        if path is not None:
            write_files({path: picture(figure, Path(path).suffix)})
        return figure

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figures to a JSON file."""
        write_files({path: self.to_json().encode()})

    def to_json(self) -> str:
        """Strict JSON, with null for what is not a finite number."""
        rows = {name: [v if math.isfinite(v) else None for v in values] for name, values in self.items()}
        return json.dumps(rows, indent=2, allow_nan=False) + "\n"

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "History":
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            The file is damaged or something else.
        """
        history = cls()
        try:
            for name, values in json.loads(Path(path).read_text(encoding="utf-8")).items():
                history[name] = [math.nan if v is None else float(v) for v in values]
            if len({len(values) for values in history.values()}) > 1:
                raise ValueError("its lists differ in length")
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"History.load: {path} is not a history, or is damaged: {error}") from error
        return history


def picture(figure: "Figure", ending: str = ".png") -> bytes:
    """The drawing as the bytes of a picture file with that ending."""
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending.lstrip(".") or "png", dpi=120)
    return buffer.getvalue()


def _short(name: str, value: float) -> str:
    digits = {"images_per_second": 0, "seconds": 1}.get(name, 4)
    return f"{value:.{digits}f}"

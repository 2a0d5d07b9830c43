"""What a training shows while it runs: a bar for the epoch under way, a line for each one done."""

import sys
import time
from collections.abc import Callable, Mapping

REFRESH_SECONDS = 0.1


class Progress:
    """The bar of one epoch, on standard error if that is a terminal; gone when the epoch is done."""

    def __init__(self, title: str, batches: int | None, shown: bool) -> None:
        self.bar = None
        self.waiting = 0  # batches done since the bar was drawn
        self.drawn = 0.0
        if shown and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=batches,
                desc=title,
                ascii=" #",
                leave=False,
                mininterval=0,  # `step` decides when to draw
                miniters=1,
                dynamic_ncols=True,
                file=sys.stderr,
                bar_format="{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}",
            )

    def step(self, means: Callable[[], Mapping[str, float]], images_per_second: float) -> None:
        """One more batch is done; the means are asked for when they are shown."""
        if self.bar is None:
            return
        self.waiting += 1
        if time.perf_counter() - self.drawn >= REFRESH_SECONDS:
            self.bar.set_postfix_str(f"{figures(means())}, {images_per_second:.0f} images/s", refresh=False)
            self.bar.update(self.waiting)
            self.waiting = 0
            self.drawn = time.perf_counter()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self.bar is not None:
            self.bar.close()


def figures(means: Mapping[str, float], separator: str = ", ") -> str:
    """The figures in one line: ``loss 0.0532, accuracy 0.9841``."""
    return separator.join(f"{name} {value:.4f}" for name, value in means.items())

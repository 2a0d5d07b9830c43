"""Losses over classes, given as indices. Rows: logits or log-probabilities (N, C), targets (N)."""

from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for


class CrossEntropy(Function):
    """Softmax and cross-entropy at once; the kernel gives losses and their gradients in one pass."""

    def forward(self, logits, target, weight, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
        check_classes("cross_entropy", logits, target, weight, ignore_index)
        losses, self.gradient = kernels_for(logits).cross_entropy(
            logits, target, weight, ignore_index, label_smoothing
        )
        loss, self.scale = reduce(losses, target, weight, ignore_index, reduction)
        return loss

    def backward(self, grad):
        return self.gradient * (grad[:, None] if grad.ndim else grad * self.scale)


class NegativeLogLikelihood(Function):
    """-x[n, target[n]], times the class's weight."""

    def forward(self, x, target, weight, ignore_index=-100, reduction="mean"):
        check_classes("nll_loss", x, target, weight, ignore_index)
        xp = array_module(x)
        here = target != ignore_index
        self.pick = xp.nonzero(here)[0], target[here]
        self.like, self.factor = x.shape, -1 if weight is None else -weight[target[here]]
        losses = xp.zeros(len(target), x.dtype)
        losses[here] = self.factor * x[self.pick]
        loss, self.scale = reduce(losses, target, weight, ignore_index, reduction)
        return loss

    def backward(self, grad):
        out = array_module(grad).zeros(self.like, grad.dtype)
        out[self.pick] = self.factor * (grad[self.pick[0]] if grad.ndim else grad * self.scale)
        return out


def reduce(losses, target, weight, ignore_index, reduction):
    """The losses' reduction and what it multiplies each by. The mean is over the weights of the targets."""
    if reduction == "none":
        return losses, 1
    if reduction == "sum":
        return losses.sum(), 1
    here = target != ignore_index
    total = here.sum() if weight is None else weight[target[here]].sum()
    scale = losses.dtype.type(1 / total if total else float("nan"))  # the mean of nothing, as in PyTorch
    return losses.sum() * scale, scale


def check_classes(name, x, target, weight, ignore_index):
    """Raise unless the targets are classes of x and there is a weight for each class."""
    if x.ndim != 2 or target.shape != x.shape[:1]:
        raise ValueError(f"{name}: expected x (N, C) and target (N), got {x.shape} and {target.shape}")
    if x.dtype.kind != "f":
        raise RuntimeError(f"{name}: expected floating point numbers, got {x.dtype}")
    if target.dtype.kind not in "iu":
        raise RuntimeError(f"{name}: expected integer class indices, got {target.dtype}")
    classes = x.shape[1]
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"{name}: expected a weight for each of {classes} classes, got shape {weight.shape}"
        )
    if target.size and not 0 <= target.min() <= target.max() < classes:
        wrong = target[(target != ignore_index) & ((target < 0) | (target >= classes))]
        if wrong.size:
            raise IndexError(
                f"{name}: target {int(wrong[0])} is out of bounds for {classes} classes (0 to {classes - 1})"
            )

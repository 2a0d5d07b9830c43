"""Losses: of rows (N, C) of logits or log-probabilities and class indices (N); and of each element."""

from minicnn.autograd import Function, is_one
from minicnn.device import array_module, kernels_for, may_look
from minicnn.ops.activation import sigmoid, softplus


class CrossEntropy(Function):
    """Softmax and cross-entropy at once; the kernel gives the loss and its gradient in one pass.

    `how`: target, weight or None, ignore_index, label_smoothing, reduction.
    """

    silent = knows_one = True

    def forward(self, logits, how):
        check_classes("cross_entropy", logits, how[0], how[1])
        loss, self.gradient = kernels_for(logits).cross_entropy(logits, *how)
        return loss

    def backward(self, grad):
        if is_one(grad):
            return self.gradient[:]  # a view, into which nobody writes
        return self.gradient * (grad[:, None] if grad.ndim else grad)


class NegativeLogLikelihood(Function):
    """-x[n, target[n]], times the class's weight. `how`: target, weight or None, ignore_index, reduction."""

    def forward(self, x, how):
        target, weight, ignore_index, reduction = how
        check_classes("nll_loss", x, target, weight)
        xp, self.here = array_module(x), target != ignore_index
        check_range("nll_loss", target, self.here, x.shape[1])
        self.like, self.pick = x.shape, (xp.arange(len(target)), xp.where(self.here, target, 0))
        self.factor = xp.where(self.here, 1 if weight is None else weight[self.pick[1]], 0).astype(x.dtype)
        losses = xp.where(self.here, -self.factor * x[self.pick], 0)
        self.scale = 1
        if reduction == "none":
            return losses
        if reduction == "mean":  # of nothing: nan, with gradient 0, as in PyTorch
            weights = self.factor.sum()
            self.scale = xp.where(weights == 0, 0, 1 / weights)
        return losses.sum() if reduction == "sum" else losses.sum() / weights

    def backward(self, grad):
        out = array_module(grad).zeros(self.like, grad.dtype)
        out[self.pick] = -self.factor * (grad if grad.ndim else grad * self.scale)
        return out


def check_classes(name, x, target, weight):
    """Raise unless the targets are integers, one a row of x, and there is a weight for each class."""
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


def check_range(name, target, here, classes):
    """Raise IndexError unless the targets that are in use are classes."""
    wrong = here & ((target < 0) | (target >= classes))
    if may_look(target) and wrong.any():
        first = int(target[wrong][0])
        raise IndexError(
            f"{name}: target {first} is out of bounds for {classes} classes (0 to {classes - 1})"
        )


class Huber(Function):
    """x x / 2 where |x| <= delta, and beyond delta (|x| - delta / 2); all times a scale."""

    def forward(self, x, delta, scale=1.0):
        xp = array_module(x)
        far = abs(x)
        self.slope = xp.clip(x, -delta, delta) * scale
        return xp.where(far <= delta, x * x * 0.5, (far - 0.5 * delta) * delta) * scale

    def backward(self, grad):
        return grad * self.slope


class BinaryCrossEntropy(Function):
    """-(t log p + (1 - t) log(1 - p)) for probabilities p and targets t; logarithms are at least -100."""

    def forward(self, p, t):
        for role, x in (("input", p), ("target", t)):
            if x.size and may_look(x) and not (x.min() >= 0 and x.max() <= 1):
                raise RuntimeError(f"binary_cross_entropy: expected all elements of {role} between 0 and 1")
        xp = array_module(p)
        self.p, self.t = p, t
        self.logs = xp.maximum(xp.log(p), -100), xp.maximum(xp.log1p(-p), -100)
        return (t - 1) * self.logs[1] - t * self.logs[0]

    def backward(self, grad):
        by_p = by_t = None
        if self.needs[0]:
            by_p = grad * (self.p - self.t) / array_module(grad).maximum((1 - self.p) * self.p, 1e-12)
        if self.needs[1]:
            by_t = grad * (self.logs[1] - self.logs[0])
        return by_p, by_t


class BinaryCrossEntropyWithLogits(Function):
    """-(w t log p + (1 - t) log(1 - p)) for p = sigmoid(x), targets t and weights w of the positive, or None.

    It is (1 - t) x + (1 + (w - 1) t) log(1 + exp(-x)).
    """

    def forward(self, x, t, weight):
        self.x, self.t, self.weight = x, t, weight
        self.log = softplus(-x)
        return (1 - t) * x + self.log * (1 if weight is None else 1 + (weight - 1) * t)

    def backward(self, grad):
        more = 0 if self.weight is None else self.weight - 1
        by_x = by_t = by_weight = None
        if self.needs[0]:
            by_x = grad * (1 - self.t - (1 + more * self.t) * sigmoid(-self.x))
        if self.needs[1]:
            by_t = grad * (more * self.log - self.x)
        if self.needs[2]:
            by_weight = grad * self.t * self.log
        return by_x, by_t, by_weight


class KLDivergence(Function):
    """t (log t - x) for probabilities t and log-probabilities x, or log t in place of t; 0 where t is 0."""

    def forward(self, x, t, log_target):
        xp = array_module(x)
        self.t, self.is_log = (xp.exp(t) if log_target else t), log_target
        log = t if log_target else xp.log(xp.where(t == 0, 1, t))
        self.gap = log - x
        return self.t * self.gap

    def backward(self, grad):
        by_t = grad * ((self.gap + 1) * (self.t if self.is_log else 1)) if self.needs[1] else None
        return -grad * self.t if self.needs[0] else None, by_t

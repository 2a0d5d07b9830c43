"""Arithmetic and functions of each element on its own. Inputs broadcast; the engine sums gradients back."""

from minicnn.autograd import Function
from minicnn.device import array_module, kernels_for


class Add(Function):
    """x + y."""

    def forward(self, x, y):
        return x + y

    def backward(self, grad):
        return grad, grad


class Sub(Function):
    """x - y."""

    def forward(self, x, y):
        return x - y

    def backward(self, grad):
        return grad, -grad if self.needs[1] else None


class Mul(Function):
    """x y."""

    def forward(self, x, y):
        self.x = x if self.needs[1] else None
        self.y = y if self.needs[0] else None
        return x * y

    def backward(self, grad):
        return grad * self.y if self.needs[0] else None, grad * self.x if self.needs[1] else None


class Div(Function):
    """x / y."""

    def forward(self, x, y):
        self.y, out = y, x / y
        self.out = out if self.needs[1] else None
        return out

    def backward(self, grad):
        by_x = grad / self.y
        return by_x, -by_x * self.out if self.needs[1] else None


class Pow(Function):
    """x ** y."""

    def forward(self, x, y):
        self.x, self.y = x, y
        self.out = x**y
        return self.out

    def backward(self, grad):
        xp = array_module(grad)
        by_x = by_y = None
        if self.needs[0]:  # y = 0 has gradient 0, also where x ** -1 is infinite
            by_x = grad * (self.y * self.x ** (self.y - (self.y != 0)))
        if self.needs[1]:  # 0 ** y stays 0 for y > 0: gradient 0 rather than 0 * log 0
            zero = xp.equal(self.x, 0) & xp.greater_equal(self.y, 0)
            log = xp.log(xp.where(zero, 1, self.x)).astype(self.out.dtype)
            by_y = grad * xp.where(zero, 0, self.out * log)
        return by_x, by_y


class Neg(Function):
    """-x."""

    def forward(self, x):
        return -x

    def backward(self, grad):
        return -grad


class Abs(Function):
    """|x|, with gradient 0 at 0."""

    def forward(self, x):
        self.x = x
        return abs(x)

    def backward(self, grad):
        return grad * array_module(grad).sign(self.x)


class Log(Function):
    """The natural logarithm."""

    def forward(self, x):
        self.x = x
        return array_module(x).log(x)

    def backward(self, grad):
        return grad / self.x


class Sqrt(Function):
    """The square root."""

    def forward(self, x):
        self.out = array_module(x).sqrt(x)
        return self.out

    def backward(self, grad):
        return grad / (2 * self.out)


class ReLU(Function):
    """max(x, 0), with gradient 0 at 0."""

    silent = True

    def forward(self, x):
        self.out = kernels_for(x).relu(x)
        return self.out

    def backward(self, grad):
        return kernels_for(grad).relu_gradient(grad, self.out)


class Clamp(Function):
    """x limited to [low, high]; its gradient passes inside, borders included, and else goes to the border."""

    def forward(self, x, low, high):
        xp = array_module(x)
        self.x, self.low, self.high = x, low, high
        out = x if low is None else xp.maximum(x, low)
        return out if high is None else xp.minimum(out, high)

    def backward(self, grad):
        where, low, high = array_module(grad).where, self.low, self.high
        inside = True if low is None else self.x >= low
        if high is not None:
            inside = inside & (self.x <= high)
        by_low = by_high = None
        if self.needs[1]:
            by_low = where((self.x < low) & (True if high is None else low < high), grad, 0)
        if self.needs[2]:
            by_high = where((self.x > high) | (False if low is None else high < low), grad, 0)
        return where(inside, grad, 0), by_low, by_high


class Maximum(Function):
    """The larger of x and y; ties share the gradient in equal parts."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return array_module(x).maximum(x, y)

    def backward(self, grad):
        share = 0.5 * ((self.x >= self.y).astype(grad.dtype) + (self.x > self.y))
        return grad * share, grad * (1 - share)


class Minimum(Function):
    """The smaller of x and y; ties share the gradient in equal parts."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return array_module(x).minimum(x, y)

    def backward(self, grad):
        share = 0.5 * ((self.x <= self.y).astype(grad.dtype) + (self.x < self.y))
        return grad * share, grad * (1 - share)


class Where(Function):
    """x where the condition holds, else y."""

    def forward(self, condition, x, y):
        self.condition = condition
        return array_module(condition).where(condition, x, y)

    def backward(self, grad):
        where = array_module(grad).where  # not a product: 0 * nan would be nan
        return None, where(self.condition, grad, 0), where(self.condition, 0, grad)


class Cast(Function):
    """The same values in another dtype."""

    def forward(self, x, dtype):
        self.dtype = x.dtype
        return x.astype(dtype)

    def backward(self, grad):
        return grad.astype(self.dtype)


class Dropout(Function):
    """x with zeros at random, the other numbers scaled.

    `how`: how many numbers in a row share a fate, the probability of a zero, and a function from x to where
    random numbers for it come from.
    """

    def forward(self, x, how):
        self.together, self.p, source_for = how
        out, self.fates = kernels_for(x).dropout(x, self.together, self.p, source_for(x))
        return out

    def backward(self, grad):
        return kernels_for(grad).dropout_gradient(grad, self.together, self.p, self.fates)

"""The gradient checker is checked: what is wrong must fail, what is right must pass."""

import numpy as np
import pytest

from minicnn.autograd import Function, is_grad_enabled, no_grad
from minicnn.tensor import Tensor, apply
from minicnn.testing import GradcheckError, gradcheck


class Square(Function):
    """x * x, with a derivative that a test spoils."""

    def forward(self, x, spoil):
        self.x, self.spoil = x, spoil
        return x * x

    def backward(self, grad):
        return self.spoil(grad, self.x)


def square(spoil):
    return lambda x: apply(Square, x, spoil=spoil)


def right(grad, x):
    return grad * 2 * x


def one_element(factor):
    def spoil(grad, x):
        out = right(grad, x)
        out[-1, -1] *= factor
        return out

    return spoil


@pytest.fixture
def x():
    return Tensor(np.random.default_rng(0).uniform(0.5, 2, (3, 2)), requires_grad=True)


def test_right_gradient_passes(x):
    assert gradcheck(square(right), (x,)) is True
    assert gradcheck(square(right), x) is True


@pytest.mark.parametrize("factor", [1.001, 0.999, -1, 0, np.nan, np.inf])
def test_wrong_gradient_fails(x, factor):
    everywhere = square(lambda grad, x: right(grad, x) * factor)
    assert gradcheck(everywhere, (x,), raise_exception=False) is False
    with pytest.raises(GradcheckError, match="input 0"):
        gradcheck(everywhere, (x,))
    with pytest.raises(GradcheckError, match=r"input 0\[2, 1\]"):  # a single element that is wrong is enough
        gradcheck(square(one_element(factor)), (x,))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda grad, x: 2 * x,  # forgets the gradient it gets
        lambda grad, x: right(abs(grad), x),
        lambda grad, x: None,  # no gradient at all
        lambda grad, x: right(grad, x)[::-1],
        lambda grad, x: right(grad, x).astype(np.float32),
        lambda grad, x: right(grad, x) + 1e-6,
    ],
)
def test_other_faults_fail(x, spoil):
    with pytest.raises(GradcheckError):
        gradcheck(square(spoil), (x,))


def test_scalar_result_that_ignores_its_gradient_fails():
    with pytest.raises(GradcheckError):
        gradcheck(square(lambda grad, x: 2 * x), (Tensor(np.array(1.5), requires_grad=True),))


@pytest.mark.parametrize("shape", [(2, 3), (3,), (1, 2), (6,), (3, 2, 2)])
def test_wrong_shape_fails(x, shape):
    """The engine itself refuses a gradient that is no broadcast of its input, and sums one that is."""
    with pytest.raises(RuntimeError, match=r"shape|derivative"):
        gradcheck(square(lambda grad, x: np.zeros(shape)), (x,))


def test_gradient_that_spoils_what_it_kept_fails(x):
    def spoil(grad, kept):
        out = right(grad, kept)
        kept += 1
        return out

    with pytest.raises(GradcheckError):
        gradcheck(lambda x: apply(Square, x * 1.0, spoil=spoil), (x,))


def test_message_says_which_element_and_both_values():
    x = Tensor(np.array([1.0, 3.0]), requires_grad=True)
    factor = Tensor(np.array(2.0))
    with pytest.raises(GradcheckError) as error:
        gradcheck(lambda factor, x: square(lambda g, x: g * x * [2, 2.1])(x) * factor, (factor, x))
    assert str(error.value) == (
        "gradcheck: the derivative of output element 1 by input 1[1] is "
        "12.6 by backward but 12 by differences"
    )


def test_every_input_and_every_output_is_checked(x):
    y = Tensor(x.array[::-1].copy(), requires_grad=True)
    assert gradcheck(lambda x, y: (x * y, x - y), (x, y))
    wrong = square(lambda grad, x: right(grad, x) * 1.001)
    with pytest.raises(GradcheckError, match="input 1"):
        gradcheck(lambda x, y: (x * x, x + wrong(y)), (x, y))
    with pytest.raises(GradcheckError, match="input 0"):
        gradcheck(lambda x, y: [y, wrong(x)], (x, y))


def test_float32_is_refused(x):
    with pytest.raises(ValueError, match="input 1 is float32"):
        gradcheck(lambda x, y: x * y, (x, Tensor(x.array.astype(np.float32), requires_grad=True)))


def test_nothing_to_check_is_refused(x):
    with pytest.raises(ValueError, match="requires grad"):
        gradcheck(square(right), (x.detach(),))
    with pytest.raises(ValueError, match="floating point"):
        gradcheck(lambda x: x > 0, (x,))


def test_inputs_that_need_no_gradient_are_passed_on(x):
    index, factor = Tensor(np.array([2, 0, 2])), Tensor(np.float32(3))
    assert gradcheck(lambda x, index, factor, power: (x[index] ** power) * factor, (x, index, factor, 3))


def test_integer_outputs_are_ignored(x):
    assert gradcheck(lambda x: (x * x, x.argmax(), None), (x,))


def test_missing_gradient_is_a_zero(x):
    assert gradcheck(lambda x: x.detach().sum() * 0 + 1, (x,))
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x.detach().sum(), (x,))


def test_inputs_stay_as_they_were(x):
    before = x.array.copy()
    x.grad = Tensor(np.ones((3, 2)))
    gradcheck(square(right), (x,))
    np.testing.assert_array_equal(x.array, before)
    np.testing.assert_array_equal(x.grad.array, np.ones((3, 2)))


@pytest.mark.parametrize(
    "array", [np.ones((2, 3)).T, np.broadcast_to(1.5, (2, 2)), np.array(2.0), np.zeros((0, 2))]
)
def test_any_layout_and_shape(array):
    assert gradcheck(square(right), (Tensor(array, requires_grad=True),))
    if array.size:
        assert not gradcheck(
            square(lambda g, x: g * x), (Tensor(array, requires_grad=True),), raise_exception=False
        )


def test_result_that_is_made_of_other_steps(x):
    assert gradcheck(lambda x: (x.exp() * x.sum(1, keepdim=True)).T.reshape(-1)[1:4], (x,))


def test_inside_no_grad(x):
    with no_grad():
        assert gradcheck(square(right), (x,))
        assert not is_grad_enabled()


def test_tolerances():
    x = Tensor(np.array([1.0]), requires_grad=True)
    slightly_wrong = square(lambda grad, x: right(grad, x) * 1.0005)
    assert not gradcheck(slightly_wrong, x, raise_exception=False)
    assert gradcheck(slightly_wrong, x, rtol=1e-3)
    assert gradcheck(slightly_wrong, x, atol=2e-3)
    assert not gradcheck(lambda x: x**4, x, eps=1e-1, raise_exception=False)  # too long a step

"""Products of vectors, matrices and Tensors of any shape."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn.tensor.apply import Variable
from minicnn.tensor.arithmetic import matmul
from minicnn.tensor.order import Order

if TYPE_CHECKING:
    from minicnn.tensor.tensor import Tensor


def mm(input: "Tensor", mat2: "Tensor") -> "Tensor":
    """The product of two matrices."""
    return matmul(*with_dims("mm", (input, 2), (mat2, 2)))


def mv(input: "Tensor", vec: "Tensor") -> "Tensor":
    """The product of a matrix and a vector."""
    return matmul(*with_dims("mv", (input, 2), (vec, 1)))


def dot(input: "Tensor", tensor: "Tensor") -> "Tensor":
    """The sum of the products of two vectors' elements."""
    return matmul(*with_dims("dot", (input, 1), (tensor, 1)))


def bmm(input: "Tensor", mat2: "Tensor") -> "Tensor":
    """The products of two stacks of matrices, (N, A, B) @ (N, B, C)."""
    x, y = with_dims("bmm", (input, 3), (mat2, 3))
    if len(x) != len(y):
        raise RuntimeError(f"bmm: expected as many matrices in both, got {x.shape} and {y.shape}")
    return matmul(x, y)


def outer(input: "Tensor", vec2: "Tensor") -> "Tensor":
    """Every product of an element of one vector and one of another."""
    x, y = with_dims("outer", (input, 1), (vec2, 1))
    return x.unsqueeze(1) * y


def addmm(input: "Tensor", mat1: "Tensor", mat2: "Tensor", *, beta: float = 1, alpha: float = 1) -> "Tensor":
    """beta input + alpha mat1 @ mat2."""
    product = mm(mat1, mat2)
    return product.mul(alpha) + input.mul(beta) if (alpha, beta) != (1, 1) else product + input


def baddbmm(
    input: "Tensor", batch1: "Tensor", batch2: "Tensor", *, beta: float = 1, alpha: float = 1
) -> "Tensor":
    """beta input + alpha batch1 @ batch2."""
    return bmm(batch1, batch2).mul(alpha) + input.mul(beta)


def with_dims(name: str, *wanted: tuple[Any, int]) -> "list[Tensor]":
    """Tensors that have so many dimensions each."""
    for x, ndim in wanted:
        if not isinstance(x, Variable):
            raise TypeError(f"{name}: expected Tensors, got {type(x).__name__}")
        if x.array.ndim != ndim:
            raise RuntimeError(f"{name}: expected {ndim} dimensions, got shape {x.array.shape}")
    return [x for x, _ in wanted]


def einsum(equation: str, *operands: Any) -> "Tensor":
    """Products of elements, summed over what the result lacks: ``einsum("bik,bkj->bij", x, y)``.

    Parameters
    ----------
    equation : str
        A letter for each dimension of each operand, "..." for any others, "->" before those of the result;
        without an arrow these are "..." and the letters that occur once, in alphabetical order.
    *operands : Tensor
        One for each part of the equation.

    Raises
    ------
    RuntimeError
        If the equation and the shapes do not fit together.
    """
    if not isinstance(equation, str):
        raise TypeError(f"einsum: expected the equation as a str, got {type(equation).__name__}")
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    if not operands or not all(isinstance(x, Variable) for x in operands):
        raise (TypeError if operands else ValueError)("einsum: expected at least one Tensor")
    terms, result = read_equation(equation, [x.array.shape for x in operands])
    sizes = subscript_sizes(terms, [x.array.shape for x in operands])
    parts = [diagonals(x, term) for x, term in zip(operands, terms, strict=True)]
    out, term = parts[0]
    for i, (x, other) in enumerate(parts[1:], 1):
        later = {*result, *(s for t in terms[i + 1 :] for s in t)}
        out, term = pair(out, term, x, other, later, sizes)
    lonely = tuple(i for i, s in enumerate(term) if s not in result)
    out = out.sum(lonely) if lonely else out
    term = [s for s in term if s in result]
    return out.permute([term.index(s) for s in result])


def read_equation(equation: str, shapes: list[tuple[int, ...]]) -> tuple[list[list[str]], list[str]]:
    """The subscripts of each operand and of the result; those under "..." count from behind: "-2"."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not all(re.fullmatch(r"[a-zA-Z]*(\.\.\.)?[a-zA-Z]*", term) for term in (*terms, right)):
        raise RuntimeError(f'einsum: expected letters, commas, "..." and "->", got {equation!r}')
    if len(terms) != len(shapes):
        raise RuntimeError(f"einsum: {equation!r} has {len(terms)} operands, but {len(shapes)} were given")
    out, most = [], 0
    for term, shape in zip(terms, shapes, strict=True):
        rest = len(shape) - len(term.replace("...", ""))
        if rest < 0 or (rest and "..." not in term):
            raise RuntimeError(
                f"einsum: {term!r} does not fit the dimensions of shape {shape} in {equation!r}"
            )
        most = max(most, rest)
        out.append(subscripts(term, rest))
    letters = [s for term in out for s in term if s.isalpha()]
    if arrow:
        result = subscripts(right, most)
    else:
        result = [*subscripts("...", most), *sorted(s for s in set(letters) if letters.count(s) == 1)]
    for s in result:
        if s.isalpha() and (s not in letters or result.count(s) > 1):
            raise RuntimeError(
                f"einsum: the result's {s!r} is in no operand, or comes twice, in {equation!r}"
            )
    return out, result


def subscripts(term: str, rest: int) -> list[str]:
    """A term's letters one by one, its "..." as that many numbers."""
    before, dots, after = term.partition("...")
    return [*before, *(str(i) for i in range(-rest, 0) if dots), *after]


def subscript_sizes(terms: list[list[str]], shapes: list[tuple[int, ...]]) -> dict[str, int]:
    """The size of each subscript; a size of 1 stretches."""
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for s, n in zip(term, shape, strict=True):
            if sizes.get(s, 1) not in (1, n) and n != 1:
                raise RuntimeError(
                    f"einsum: subscript {s!r} has the sizes {sizes[s]} and {n} (shapes {shapes})"
                )
            if sizes.get(s, 1) == 1:
                sizes[s] = n
    return sizes


def diagonals(x: Any, term: list[str]) -> tuple[Any, list[str]]:
    """An operand whose repeated subscripts became one each, at the end."""
    for s in [s for s in dict.fromkeys(term) if term.count(s) > 1]:
        while term.count(s) > 1:
            i = term.index(s)
            j = term.index(s, i + 1)
            if x.array.shape[i] != x.array.shape[j]:
                raise RuntimeError(
                    f"einsum: the dimensions of a repeated {s!r} differ in shape {x.array.shape}"
                )
            x = x.diagonal(0, i, j)
            term = [t for k, t in enumerate(term) if k not in (i, j)] + [s]
    return x, term


def pair(
    x: Any, a: list[str], y: Any, b: list[str], later: set[str], sizes: dict[str, int]
) -> tuple[Any, list]:
    """Two operands as one stacked matrix product: (both, left, summed) @ (both, summed, right)."""
    x, a = only_wanted(x, a, later | set(b))
    y, b = only_wanted(y, b, later | set(a))
    both = [s for s in a if s in b and s in later]
    summed = [s for s in a if s in b and s not in later]
    left, right = [s for s in a if s not in b], [s for s in b if s not in a]
    x = x.permute([a.index(s) for s in (*both, *left, *summed)])
    y = y.permute([b.index(s) for s in (*both, *summed, *right)])

    def count(subscripts: list[str]) -> int:
        return int(np.prod([sizes[s] for s in subscripts], dtype=np.int64))

    x = x.expand([sizes[s] for s in (*both, *left, *summed)]).reshape(count(both), count(left), count(summed))
    y = y.expand([sizes[s] for s in (*both, *summed, *right)]).reshape(
        count(both), count(summed), count(right)
    )
    term = [*both, *left, *right]
    return matmul(x, y).reshape([sizes[s] for s in term]), term


def only_wanted(x: Any, term: list[str], wanted: set[str]) -> tuple[Any, list[str]]:
    """Subscripts that nobody else has, summed away."""
    alone = tuple(i for i, s in enumerate(term) if s not in wanted)
    return (x.sum(alone), [s for s in term if s in wanted]) if alone else (x, term)


class Products(Order):
    """The products as methods of a Tensor."""

    __slots__ = ()

    mm, mv, dot, bmm, outer, addmm, baddbmm = mm, mv, dot, bmm, outer, addmm, baddbmm

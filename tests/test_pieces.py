"""Tensors taken apart, repeated, joined, multiplied: values, gradients and errors as in PyTorch."""

import numpy as np
import pytest
import torch

import minicnn as mc
from both import agree, compare, refuse


def test_parts_are_views():
    for part in (
        lambda x: x.split(2)[1],
        lambda x: x.chunk(2, 1)[0],
        lambda x: x.unbind(1)[1],
        lambda x: x.narrow(0, 1, 2),
        lambda x: x.select(1, 2),
    ):
        for m in (mc, torch):
            x = m.zeros(4, 3)
            part(x).add_(1)
            assert x.sum().item() > 0


def test_einsum_of_a_list_and_of_integers():
    agree(lambda m: m.einsum("i,i->i", [m.tensor([1, 2]), m.tensor([3, 4])]))
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    compare(lambda m, x: m.einsum("abc,abd,ced->abe", x, x, x.reshape(4, 3, 2).repeat(1, 1, 2)), x)


ERRORS = {
    "split by 0": lambda m: m.ones(3).split(0),
    "split by -1": lambda m: m.ones(3).split(-1),
    "split to other sizes": lambda m: m.ones(3).split([1, 1]),
    "split a scalar": lambda m: m.tensor(1.0).split(1),
    "split dim": lambda m: m.ones(3).split(1, 1),
    "chunk to none": lambda m: m.ones(3).chunk(0),
    "chunk a scalar": lambda m: m.tensor(1.0).chunk(1),
    "tensor_split to none": lambda m: m.ones(3).tensor_split(0),
    "unbind a scalar": lambda m: m.tensor(1.0).unbind(),
    "unbind dim": lambda m: m.ones(3).unbind(1),
    "select beyond": lambda m: m.ones(3).select(0, 3),
    "narrow beyond": lambda m: m.ones(3).narrow(0, 2, 2),
    "narrow from beyond": lambda m: m.ones(3).narrow(0, 4, 0),
    "repeat too few": lambda m: m.ones(2, 3).repeat(2),
    "repeat -1": lambda m: m.ones(3).repeat(-1),
    "repeat_interleave unequal": lambda m: m.ones(3).repeat_interleave(m.tensor([1, 2])),
    "diagonal of a vector": lambda m: m.ones(3).diagonal(),
    "diagonal of one dim": lambda m: m.ones(3, 3).diagonal(0, 1, 1),
    "diag of a cube": lambda m: m.ones(2, 2, 2).diag(),
    "trace of a vector": lambda m: m.ones(3).trace(),
    "tril of a vector": lambda m: m.ones(3).tril(),
    "movedim unequal": lambda m: m.ones(2, 3).movedim((0, 1), (0,)),
    "movedim twice": lambda m: m.ones(2, 3).movedim((0, 0), (0, 1)),
    "mT of a vector": lambda m: m.ones(3).mT,
    "stack of numbers": lambda m: m.stack([1, 2]),
    "meshgrid of matrices": lambda m: m.meshgrid(m.ones(2, 2), indexing="ij"),
    "meshgrid indexing": lambda m: m.meshgrid(m.ones(2), indexing="yx"),
    "broadcast_tensors": lambda m: m.broadcast_tensors(m.ones(2), m.ones(3)),
    "mm of vectors": lambda m: m.mm(m.ones(3), m.ones(3)),
    "mm sizes": lambda m: m.mm(m.ones(2, 3), m.ones(2, 3)),
    "mm of a number": lambda m: m.mm(m.ones(2, 3), 2),
    "bmm of unequal stacks": lambda m: m.bmm(m.ones(2, 3, 4), m.ones(1, 4, 2)),
    "bmm of matrices": lambda m: m.bmm(m.ones(2, 3), m.ones(3, 2)),
    "dot sizes": lambda m: m.dot(m.ones(3), m.ones(2)),
    "dot of matrices": lambda m: m.dot(m.ones(2, 2), m.ones(2, 2)),
    "mv sizes": lambda m: m.mv(m.ones(2, 3), m.ones(2)),
    "outer of matrices": lambda m: m.outer(m.ones(3), m.ones(2, 2)),
    "einsum dimensions": lambda m: m.einsum("ij->j", m.ones(3)),
    "einsum unknown result": lambda m: m.einsum("i,j->ijk", m.ones(2), m.ones(3)),
    "einsum sizes": lambda m: m.einsum("i,i->", m.ones(3), m.ones(2)),
    "einsum result twice": lambda m: m.einsum("i->ii", m.ones(3)),
    "einsum too many": lambda m: m.einsum("i", m.ones(3), m.ones(3)),
    "einsum too few": lambda m: m.einsum("i,i", m.ones(3)),
    "einsum repeated": lambda m: m.einsum("ii->i", m.ones(2, 3)),
    "einsum dtypes": lambda m: m.einsum("i,i", m.ones(3), m.ones(3).double()),
    "einsum digits": lambda m: m.einsum("i1->i", m.ones(2, 3)),
    "einsum two dots": lambda m: m.einsum("i..->i", m.ones(2, 3)),
    "einsum without equation": lambda m: m.einsum([1], m.ones(2)),
    "einsum of nothing": lambda m: m.einsum("i"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    refuse(ERRORS[name])

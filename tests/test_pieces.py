"""Tensors taken apart, repeated, joined, multiplied: values, gradients and errors as in PyTorch."""

import numpy as np
import pytest
import torch

import minicnn as mc
from both import agree, check, compare, draw

PIECES = {
    "split": (lambda m, x: x.split(2), (5, 3)),
    "split along -1": (lambda m, x: m.split(x, 2, dim=-1), (2, 5)),
    "split to sizes": (lambda m, x: m.split(x, [1, 0, 3], 1), (2, 4)),
    "split nothing": (lambda m, x: (x * 1, *x.split(2)), (0, 3)),
    "chunk": (lambda m, x: m.chunk(x, 3), (7, 2)),
    "chunk to more": (lambda m, x: x.chunk(5, 1), (2, 3)),
    "chunk nothing": (lambda m, x: x.chunk(3), (0, 2)),
    "tensor_split": (lambda m, x: m.tensor_split(x, 3), (7, 2)),
    "tensor_split at": (lambda m, x: x.tensor_split((1, -2, 9), 1), (2, 5)),
    "unbind": (lambda m, x: x.unbind(), (3, 2)),
    "unbind along 1": (lambda m, x: m.unbind(x, dim=1), (2, 3, 2)),
    "select": (lambda m, x: m.select(x, 1, -1), (2, 3)),
    "narrow": (lambda m, x: m.narrow(x, 1, 1, 2), (2, 4)),
    "narrow from the end": (lambda m, x: x.narrow(0, -2, 1), (3, 2)),
    "repeat": (lambda m, x: x.repeat(2, 3), (2, 3)),
    "repeat to more dimensions": (lambda m, x: x.repeat(2, 1, 3), (2, 3)),
    "repeat by a list": (lambda m, x: x.repeat([4]), ()),
    "repeat not at all": (lambda m, x: x.repeat(0, 2), (2, 3)),
    "tile": (lambda m, x: m.tile(x, (2,)), (2, 3)),
    "tile by a keyword": (lambda m, x: m.tile(x, dims=(2, 1, 1)), (2, 3)),
    "repeat_interleave": (lambda m, x: x.repeat_interleave(2), (2, 3)),
    "repeat_interleave along 1": (lambda m, x: m.repeat_interleave(x, 3, dim=1), (2, 3)),
    "repeat_interleave unequal": (lambda m, x: x.repeat_interleave(m.tensor([2, 0, 1]), 1), (2, 3)),
    "diagonal": (lambda m, x: x.diagonal(), (3, 4)),
    "diagonal above": (lambda m, x: m.diagonal(x, 1, 0, 2), (3, 2, 4)),
    "diagonal below": (lambda m, x: x.diagonal(-2, 1, 0), (3, 4)),
    "diagonal outside": (lambda m, x: (x * 1, x.diagonal(9)), (3, 4)),
    "diag": (lambda m, x: m.diag(x), (3, 4)),
    "diag of a vector": (lambda m, x: m.diag(x, -1), (3,)),
    "trace": (lambda m, x: x.trace(), (3, 4)),
    "tril": (lambda m, x: m.tril(x) + x.tril(-1) + x.tril(2), (2, 3, 4)),
    "triu": (lambda m, x: m.triu(x, 1) + x.triu(-1), (4, 3)),
    "unflatten": (lambda m, x: m.unflatten(x, 1, (2, -1)), (2, 6)),
    "ravel": (lambda m, x: m.ravel(x), (2, 3)),
    "swapaxes": (lambda m, x: m.swapaxes(x, 0, 1), (2, 3)),
    "movedim of two": (lambda m, x: m.movedim(x, (0, 1), (-1, 0)), (2, 3, 4)),
    "mT": (lambda m, x: x.mT, (2, 3, 4)),
    "expand_as": (lambda m, x: x.expand_as(m.zeros(2, 3)), (3,)),
    "broadcast_to": (lambda m, x: m.broadcast_to(x, size=(2, 3)), (3,)),
    "broadcast_tensors": (lambda m, x: m.broadcast_tensors(x, x[:1]), (2, 3)),
    "reshape by a keyword": (lambda m, x: m.reshape(x, shape=(3, 2)), (2, 3)),
    "permute by a keyword": (lambda m, x: m.permute(input=x, dims=(1, 0)), (2, 3)),
    "flatten by keywords": (lambda m, x: m.flatten(input=x, start_dim=1), (2, 3, 2)),
    "cat by NumPy's names": (lambda m, x: m.cat([x, x], axis=1), (2, 3)),
    "concat": (lambda m, x: m.concat((x, x)) + m.concatenate((x, x)), (2, 3)),
    "vstack": (lambda m, x: m.vstack((x, x[0])), (2, 3)),
    "hstack": (lambda m, x: m.hstack((x, x[:, :1])), (2, 3)),
    "hstack of vectors": (lambda m, x: m.hstack((x, x[:1])), (3,)),
    "meshgrid": (lambda m, x: m.meshgrid(x, x[:2], indexing="ij"), (3,)),
    "meshgrid xy": (lambda m, x: m.meshgrid(x, x[:2], indexing="xy"), (3,)),
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces(name):
    function, shape = PIECES[name]
    check(function, draw(shape))


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


PRODUCTS = {
    "mm": (lambda m, x, y: m.mm(x, y), (2, 3), (3, 4)),
    "mm with nothing": (lambda m, x, y: x.mm(y), (2, 0), (0, 4)),
    "mv": (lambda m, x, y: m.mv(x, y), (2, 3), (3,)),
    "dot": (lambda m, x, y: m.dot(x, y), (3,), (3,)),
    "bmm": (lambda m, x, y: x.bmm(y), (2, 3, 4), (2, 4, 5)),
    "outer": (lambda m, x, y: m.outer(x, y), (2,), (3,)),
    "addmm": (lambda m, x, y: m.addmm(x[0, :1], x, y, beta=0.5, alpha=2), (2, 3), (3, 4)),
    "baddbmm": (lambda m, x, y: m.baddbmm(x[:, :, :1], x, y), (2, 3, 4), (2, 4, 5)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    function, *shapes = PRODUCTS[name]
    check(function, *map(draw, shapes))


EINSUM = [
    ("i,i", (3,), (3,)), ("i,j->ij", (3,), (2,)), ("ij,jk", (2, 3), (3, 4)), ("ij,jk->ki", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 1, 5)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)), ("ij->j", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (2, 2, 3)),
    ("ij,ij->i", (2, 3), (2, 3)), ("ijk,k->ij", (2, 3, 4), (4,)), ("...ij,...jk->...ik", (2, 3, 4), (4, 5)),
    ("...ij->...ji", (2, 3, 4)), ("b...,...->b", (2, 3, 4), (3, 4)), ("i...,j...", (2, 3), (4, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("i,i,i->i", (3,), (3,), (3,)), ("ij,k->i", (2, 3), (4,)),
    ("ba", (2, 3)), ("Ab,bA->A", (2, 3), (3, 2)), ("ij,jk->ik", (2, 1), (3, 4)),
    (" i j , j -> i ", (2, 3), (3,)),
    ("ij,jk->ik", (0, 3), (3, 4)), ("ij,jk->ik", (2, 0), (0, 4)), ("nchw,oc->nohw", (2, 3, 4, 5), (2, 3)),
    ("...,...", (2, 3), (3,)), ("i->", (1,)), ("iji,j->ij", (2, 3, 2), (3,)), (",i->i", (), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUM, ids=lambda case: case[0])
def test_einsum(case):
    equation, *shapes = case
    check(lambda m, *xs: m.einsum(equation, *xs), *map(draw, shapes))


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
    agree(ERRORS[name])

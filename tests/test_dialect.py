"""The whole dialect against PyTorch, from the table in ``tests/dialect``."""

import re

import pytest
import torch

import minicnn as mc
from dialect import ROWS
from dialect.check import check, check_gradients
from dialect.document import PATH, document
from dialect.names import INTERNAL, NOT_COVERED, OWN, PREFIXES, exists, public, spread
from dialect.row import method, places, row
from layout import ROOT

DIFFERENTIABLE = [
    one
    for one in ROWS
    if one.grad and one.differences and "float64" in one.dtypes and one.kind in ("call", "layer")
]
NAMES = {name for one in ROWS for name in one.names}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_as_pytorch(row):
    check(row)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=str)
def test_gradients_against_differences(row):
    check_gradients(row)


# what the table holds


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_public_name_has_a_row_or_a_reason(prefix):
    missing = public(prefix) - NAMES - spread(NOT_COVERED) - spread(OWN) - {*INTERNAL.split()}
    assert not missing, f"give them a row in tests/dialect, or a reason in names.py: {sorted(missing)}"


def test_names_in_the_table_exist():
    for name in NAMES:
        assert exists(mc, name), name
        assert exists(torch, name), name


def test_rows_call_what_they_name():
    for one in ROWS:
        for name in one.names:
            word = name.rpartition(".")[2]
            called = re.search(rf"\b{word}\b", " ".join(one.calls))
            assert called or word.startswith("__"), f"{name} does not occur in {one.calls}"  # or an operator


def test_reasons_are_up_to_date():
    assert not (spread(NOT_COVERED) | spread(OWN)) & NAMES
    assert [name for name in spread(NOT_COVERED) if not (exists(mc, name) and exists(torch, name))] == []
    files = [file for reason in NOT_COVERED.values() for file in re.findall(r"\w+\.py", reason)]
    assert [file for file in files if not (ROOT / "tests" / file).exists()] == []
    assert [name for name in spread(OWN) if exists(torch, name) or not exists(mc, name)] == []


def test_the_page_is_made_from_the_table():
    assert PATH.read_text(encoding="utf-8") == document(), "make it anew: python -m tests.dialect"


# the checker itself


@pytest.mark.parametrize(
    "wrong",
    [
        row("exp", "torch.exp(x) * (1 + 1e-4 * (torch.__name__ == 'minicnn'))", x=(3, 5)),
        row("exp", "torch.exp(x if torch.__name__ == 'minicnn' else x.detach())", x=(3, 5)),
        row("exp", "torch.exp(x).sum(keepdim=True, dim=0 if torch.__name__ == 'minicnn' else 1)", x=(3, 3)),
        row(
            "exp", "torch.exp(x).to(torch.float64 if torch.__name__ == 'minicnn' else torch.float32)", x=(3,)
        ),
        row("exp", "x.detach().exp() if torch.__name__ == 'minicnn' else x.detach().exp() + 0 * x", x=(3,)),
        row(
            "exp",
            "y = torch.exp(x).detach(); y + (x if torch.__name__ == 'minicnn' else 0 + x * 2 - x.detach())",
            x=(3,),
        ),
        row("exp", "x.detach().fill_(3 if torch.__name__ == 'minicnn' else 4); x * 0", x=(3,)),
        row("exp", "[x, x] if torch.__name__ == 'minicnn' else [x]", x=(3,)),
        row("exp", "torch.exp(x)", x=(3,), grad=False),  # says that there is no gradient
        method("argmax", "x.argmax()", x=(3, 5)),  # says that there is one
        row(
            "rand",
            "torch.rand(99, 99) * (1.1 if torch.__name__ == 'minicnn' else 1)",
            kind="random",
            grad=False,
        ),
    ],
    ids=str,
)
def test_the_comparison_finds(wrong):
    with pytest.raises(AssertionError):
        check(wrong)


def test_the_differences_find():
    wrong = row("exp", "torch.exp(x).detach() + x - x.detach()", x=(3,))
    check(wrong)
    with pytest.raises(mc.testing.GradcheckError, match="by differences"):
        check_gradients(wrong)


def test_inputs_are_what_they_say():
    assert {*places(3, 5, below=4).array("float32").ravel().tolist()} == {0, 1, 2, 3}

"""no_grad, enable_grad and set_grad_enabled: blocks, decorators, generators, threads."""

import threading

import pytest

import minicnn as mc
from both import BOTH


@BOTH
def test_no_grad_and_enable_grad(m):
    x = m.ones(1, requires_grad=True)
    with m.no_grad():
        assert not m.is_grad_enabled()
        assert not (x * 2).requires_grad
        with m.enable_grad():
            assert (x * 2).requires_grad
            with m.no_grad():
                assert not m.is_grad_enabled()
            assert m.is_grad_enabled()
        assert not m.is_grad_enabled()
        assert m.ones(1, requires_grad=True).requires_grad
    assert m.is_grad_enabled()


@BOTH
def test_modes_end_with_an_exception(m):
    for mode in (m.no_grad, lambda: m.set_grad_enabled(False)):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert m.is_grad_enabled()

    @m.no_grad()
    def fail():
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert m.is_grad_enabled()


@BOTH
def test_modes_as_decorators(m):
    @m.no_grad()
    def quiet(depth):
        """Recurse."""
        assert not m.is_grad_enabled()
        return m.is_grad_enabled() if depth == 0 else loud(depth - 1)

    @m.enable_grad()
    def loud(depth):
        assert m.is_grad_enabled()
        return m.is_grad_enabled() if depth == 0 else quiet(depth - 1)

    @m.set_grad_enabled(False)
    def also_quiet():
        return m.is_grad_enabled()

    @m.no_grad
    def without_brackets(x):
        return x, m.is_grad_enabled()

    assert m.is_grad_enabled()
    assert quiet(3) is True
    assert quiet(4) is False
    assert also_quiet() is False
    assert also_quiet() is False
    assert without_brackets(3) == (3, False)
    assert m.is_grad_enabled()
    assert (quiet.__name__, quiet.__doc__) == ("quiet", "Recurse.")


def test_a_mode_can_be_used_again():
    mode = mc.no_grad()
    with mode:
        with mode:
            assert not mc.is_grad_enabled()
        assert not mc.is_grad_enabled()
    assert mc.is_grad_enabled()
    with mode:
        assert not mc.is_grad_enabled()
    assert mc.is_grad_enabled()


@BOTH
def test_set_grad_enabled(m):
    try:
        m.set_grad_enabled(False)
        assert not m.is_grad_enabled()
        with m.set_grad_enabled(True):
            assert m.is_grad_enabled()
        assert not m.is_grad_enabled()
    finally:
        m.set_grad_enabled(True)
    assert m.is_grad_enabled()


@BOTH
def test_decorated_generator(m):
    """The mode holds inside the generator, not in the loop around it."""

    @m.no_grad()
    def steps():
        sent = []
        for i in range(3):
            assert not m.is_grad_enabled()
            sent.append((yield i, m.is_grad_enabled()))
        return sent

    for _, inside in steps():
        assert not inside
        assert m.is_grad_enabled()

    generator = steps()
    assert next(generator) == (0, False)
    with m.no_grad():
        assert generator.send("a") == (1, False)
    assert generator.send("b") == (2, False)
    with pytest.raises(StopIteration) as end:
        generator.send("c")
    assert end.value.value == ["a", "b", "c"]
    assert m.is_grad_enabled()
    closed = steps()
    next(closed)
    closed.close()
    assert m.is_grad_enabled()


@BOTH
def test_modes_belong_to_one_thread(m):
    seen = []
    with m.no_grad():
        thread = threading.Thread(target=lambda: seen.append(m.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]

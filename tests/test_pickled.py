"""Plain data out of pickles, of which nothing is run."""

import pickle

import numpy as np
import pytest

from minicnn.data.pickled import read_plain_pickle


class Evil:
    def __reduce__(self):
        return print, ("it ran",)


class TestPlainPickles:
    @pytest.mark.parametrize("protocol", range(6))
    def test_plain_data(self, protocol):
        data = {
            "a": [1, -2.5, None, True, 2**70],
            b"b": ("x" * 300, (), (1,), (1, 2), (1, 2, 3, 4)),
            3: {"c": {}},
        }
        data["again"] = data["a"]
        assert read_plain_pickle(pickle.dumps(data, protocol)) == data
        for array in (
            np.arange(6, dtype=">i4").reshape(2, 3),
            np.ones((2, 3), order="F"),
            np.zeros((0, 2), bool),
        ):
            found = read_plain_pickle(pickle.dumps([array], protocol))[0]
            assert found.dtype == array.dtype.newbyteorder("=") and np.array_equal(found, array)

    @pytest.mark.parametrize("protocol", range(6))
    def test_nothing_runs(self, protocol, capsys):
        for thing in (Evil(), np.array([Evil()], object), np.dtype("V4"), print, np.array([1j]), {1, 2}):
            with pytest.raises(ValueError, match="pickle is"):
                read_plain_pickle(pickle.dumps(thing, protocol))
        assert capsys.readouterr().out == ""

    def test_damage(self):
        good = pickle.dumps({"a": [1, 2, np.arange(3)]}, 2)
        assert read_plain_pickle(good)["a"][2].tolist() == [0, 1, 2]
        for end in range(len(good)):
            with pytest.raises(ValueError, match="pickle is"):
                read_plain_pickle(good[:end])
        for place in range(len(good)):
            try:
                read_plain_pickle(good[:place] + b"R" + good[place + 1 :])
            except ValueError as error:
                assert "pickle is" in str(error)

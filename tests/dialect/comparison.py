"""Comparisons and logic"""

from .row import ALL, FLOATS, method

INTS = ("int64", "int32", "uint8", "bool")

ROWS = [
    *(
        method(
            name,
            f"x.{name}(y)",
            f"x.{name}(1)",
            f"x {sign} y",
            f"x {sign} 0.5",
            dtypes=ALL,
            grad=False,
            x=(3, 5),
            y=(5,),
        )
        for name, sign in {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()
    ),
    *(
        method(f"logical_{name}", f"x.logical_{name}(y)", dtypes=ALL, grad=False, x=(3, 5), y=(5,))
        for name in ("and", "or", "xor")
    ),
    method("logical_not", "x.logical_not()", dtypes=ALL, grad=False, x=(3, 5)),
    *(
        method(
            f"bitwise_{name}",
            f"x.bitwise_{name}(y)",
            f"x {sign} y",
            f"x {sign} 1",
            dtypes=INTS,
            grad=False,
            x=(3, 5),
            y=(5,),
        )
        for name, sign in {"and": "&", "or": "|", "xor": "^"}.items()
    ),
    method("bitwise_not", "x.bitwise_not()", "~x", dtypes=INTS, grad=False, x=(3, 5)),
    method(
        "isclose",
        "x.isclose(y)",
        "x.isclose(x + 1e-9)",
        "x.isclose(y, rtol=0.5, atol=0.1)",
        "x.isclose(x / 0, equal_nan=True)",
        x=(3, 5),
        y=(5,),
        grad=False,
    ),
    method(
        "allclose",
        "x.allclose(y)",
        "x.allclose(x + 1e-9)",
        "x.allclose(y, atol=9.0)",
        x=(3, 5),
        y=(5,),
        grad=False,
    ),
    method(
        "equal",
        "x.equal(x * 1)",
        "x.equal(y)",
        x=(3, 5),
        y=[(3, 5), (5,)],
        dtypes=(*FLOATS, "int64"),
        grad=False,
    ),
]

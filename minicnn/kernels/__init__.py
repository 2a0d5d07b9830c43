"""The loops. Each operation is told under the same names in `reference` (its definition) and `cpu` (fast).

``ls minicnn/kernels/*/conv.py`` is the index. Shapes are written with one alphabet: N C H W for pictures, O
KH KW OH OW for filters and results, G for groups. Kernels trust their callers: arguments are checked in
`minicnn.ops`.
"""

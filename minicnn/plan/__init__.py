"""`minicnn.compile`: what a model does is recorded once, and from then on repeated without Python's detours.

To be read in this order:

    recorder, step              what is done, and how it is written down
    reach, surroundings         what a function can reach, and whether that has changed
    plan, replayed              how it is repeated, forward and backward
    fusion, fused, tokens       what is done together: layers, batch norm and sums, attention
    interleaving,               sixteen pictures side by side in vectors
    interleaved_pool
    captured                    a plan whose kernels are replayed by native code, in planned memory
    compiled, table             what the user calls, and sees printed
"""

from minicnn.plan.compiled import CompiledFunction, CompiledModule, compile

__all__ = ["CompiledFunction", "CompiledModule", "compile"]

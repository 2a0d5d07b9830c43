"""`minicnn.compile`: what a model does is recorded once, and from then on repeated without Python's detours.

To be read in this order: `recorder` (what is done), `step` (how it is written down), `plan` (how it is
repeated, forward and backward), `fusion` and `fused` (what is done together), `surroundings` (what a plan
relies on), `compiled` (what the user calls).
"""

from minicnn.plan.compiled import CompiledFunction, CompiledModule, compile

__all__ = ["CompiledFunction", "CompiledModule", "compile"]

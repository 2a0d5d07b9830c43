"""The one place where threads start: `run` gives every thread a part of a kernel's work.

A `@kernel` is a plain function (arguments..., begin, end): it does the jobs from begin to end of some that do
not depend on each other. Whoever calls it says how many jobs there are, and through how many numbers they go:

    run(kernel, jobs, numbers, *arguments)

Numba takes half a second to compile a function with a `prange`, and such a function starts the later the more
arguments it has. So there is one for all kernels, `share`, which knows two addresses: that of a function, and
that of its arguments, in the stack of `launch`, a small function compiled around each kernel:

    run (Python) -> launch (any types) -> share (two addresses) -> threads -> part -> kernel

Addresses change from process to process, the compiled functions are cached on disk. So that of `share` is an
argument.
"""

import functools
import os
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import prange
from numba.core import cgutils, config, types
from numba.core.typing import signature
from numba.extending import intrinsic

from minicnn.kernels import threads
from minicnn.kernels.cpu.jit import jit

SHARE = 1 << 16  # work that goes through fewer numbers is not worth another thread
PRODUCTS = 4  # products of a matrix product that take as long as one number of other kernels
ROOM = 4096  # bytes for a kernel's arguments
POOL = 1 if config.DISABLE_JIT else config.NUMBA_NUM_THREADS  # the most threads there will ever be
LOCK = threading.Lock()  # Numba's simplest threading layer aborts when two threads enter parallel kernels

INT, POINTER = ir.IntType(64), ir.IntType(8).as_pointer()


@intrinsic
def call_part(typing, part, arguments, begin, end):
    """part(arguments, begin, end), for the address of a function and that of its arguments."""

    def emit(context, builder, sig, values):
        function = ir.FunctionType(ir.VoidType(), [INT, INT, INT])
        builder.call(builder.inttoptr(values[0], function.as_pointer()), values[1:])
        return context.get_dummy_value()

    return signature(types.none, part, arguments, begin, end), emit


@functools.partial(jit, parallel=True)
def share(part, arguments, jobs, count):
    """part(arguments, begin, end) for as many equal parts of range(jobs) as there are threads.

    Of many jobs a part has a multiple of 64: a loop over single numbers then ends in whole vectors.
    """
    grain = 64 if jobs >= 4096 else 1
    for t in prange(count):
        begin, end = t * jobs // count // grain * grain, (t + 1) * jobs // count // grain * grain
        call_part(part, arguments, begin, end if t + 1 < count else jobs)


@functools.cache
def address_of_share() -> int:
    """Where its machine code begins; asking for it starts all threads there are."""
    tys = (types.int64,) * 4
    share.compile(tys)
    compiled = share.overloads[tys]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def call_share(context: Any, builder: Any, address: Any, values: Any) -> None:
    """Write the call of `share`, which returns nothing and does not fail."""
    tys = (types.int64,) * 4
    function = context.call_conv.get_function_type(types.none, tys)
    function = builder.inttoptr(address, function.as_pointer())
    context.call_conv.call_function(builder, function, types.none, tys, values)


def borrowed(context: Any, builder: Any, ty: Any, value: Any) -> Any:
    """An argument without its arrays' owners, whom kernels need not know: whoever calls keeps them alive."""
    if isinstance(ty, types.Array):
        array = context.make_array(ty)(context, builder, value)
        array.meminfo = array.parent = ir.Constant(array.meminfo.type, None)
        return array._getvalue()
    if isinstance(ty, types.BaseTuple):
        for i, part in enumerate(ty.types):
            there = builder.extract_value(value, i)
            value = builder.insert_value(value, borrowed(context, builder, part, there), i)
    return value


@intrinsic
def launch_with(typing, kernel, room, share, jobs, count, arguments):
    """Call the kernel on all jobs, or have `share`, if it is not 0, call it on parts of them.

    An error in a part is raised here, after all parts have ended. With the address of ROOM bytes nothing is
    called, but what the parts share is stored there (see graph.py). The result is the address of `part`.
    """
    tys = (*arguments.types, types.int64, types.int64)
    kernel.dispatcher.compile(tys)
    compiled = kernel.dispatcher.overloads[tys]
    returned = compiled.signature.return_type
    assert returned == types.none, f"{compiled.fndesc.qualname} returns something"

    def emit(context, builder, sig, values):
        module, convention = builder.module, context.call_conv
        whole = zip(values[1:5], sig.args[1:5], strict=True)
        room, share, jobs, count = (context.cast(builder, n, ty, types.int64) for n, ty in whole)
        arguments = values[5]

        # what the parts share: the error of one that failed, and the kernel's arguments
        no_error = ir.LiteralStructType([ir.IntType(32), POINTER])
        block_type = ir.LiteralStructType([no_error, arguments.type])
        assert context.get_abi_sizeof(block_type) <= ROOM, "a kernel of so many arguments"
        stay = builder.icmp_unsigned("!=", room, INT(0))
        block = cgutils.alloca_once(builder, block_type)
        block = builder.select(stay, builder.inttoptr(room, block.type), block)
        lent = borrowed(context, builder, sig.args[5], arguments)
        builder.store(ir.Constant(no_error, None), cgutils.gep_inbounds(builder, block, 0, 0))
        builder.store(lent, cgutils.gep_inbounds(builder, block, 0, 1))

        part_type = ir.FunctionType(ir.VoidType(), [INT, INT, INT])
        part = ir.Function(module, part_type, module.get_unique_name("part"))
        part.linkage = "internal"
        inside = ir.IRBuilder(part.append_basic_block())
        shared = inside.inttoptr(part.args[0], block_type.as_pointer())
        passed = cgutils.unpack_tuple(inside, inside.load(cgutils.gep_inbounds(inside, shared, 0, 1)))
        function = context.declare_function(module, compiled.fndesc)
        context.add_linking_libs([compiled.library])
        status, _ = convention.call_function(inside, function, types.none, tys, [*passed, *part.args[1:]])
        with cgutils.if_unlikely(inside, status.is_error):
            error = ir.Constant(no_error, ir.Undefined)
            error = inside.insert_value(error, status.code, 0)
            error = inside.insert_value(error, inside.bitcast(status.excinfoptr, POINTER), 1)
            inside.store(error, cgutils.gep_inbounds(inside, shared, 0, 0))
        inside.ret_void()

        with builder.if_then(builder.not_(stay)):
            begin = builder.ptrtoint(block, INT)
            with builder.if_else(builder.icmp_unsigned("!=", share, INT(0))) as (together, alone):
                with together:
                    given = [builder.ptrtoint(part, INT), begin, jobs, count]
                    call_share(context, builder, share, given)
                with alone:
                    builder.call(part, [begin, INT(0), jobs])
            error = builder.load(cgutils.gep_inbounds(builder, block, 0, 0))
            excinfo = builder.bitcast(builder.extract_value(error, 1), status.excinfoptr.type)
            status = convention._get_return_status(builder, builder.extract_value(error, 0), excinfo)
            with cgutils.if_unlikely(builder, status.is_error):
                context.nrt.decref(builder, sig.args[5], arguments)
                convention.return_status_propagate(builder, status)
        return builder.ptrtoint(part, INT)

    return signature(types.int64, kernel, room, share, jobs, count, arguments), emit


kernel: Any = None  # each `launch` has its own in this place


def launch(room, share, jobs, count, *arguments):
    return launch_with(kernel, room, share, jobs, count, arguments)


@functools.cache
def launcher(kernel: Any) -> Callable:
    """`launch` around a kernel, compiled for the types of its arguments.

    Numba's cache takes it for the kernel itself, from its names and the place where it stands.
    """
    place = kernel.py_func.__code__
    code = launch.__code__.replace(co_filename=place.co_filename, co_firstlineno=place.co_firstlineno)
    around = FunctionType(code, {"launch_with": launch_with, "kernel": kernel})
    for name in ("__module__", "__qualname__", "__name__"):
        setattr(around, name, getattr(kernel, name))
    return jit(around)


recorder: Callable | None = None  # told of each call, if it is there (see graph.py)
forked = False


def note_fork() -> None:
    """Work alone from now on: GNU's OpenMP ends a process that was forked from one with threads."""
    global forked
    forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=note_fork)


def threads_for(jobs: int, numbers: int) -> int:
    """How many threads `run` would have, if no other of the program had the cores."""
    return 1 if forked or numbers < SHARE else min(threads.count, POOL, jobs)


def run(kernel: Any, jobs: int, numbers: int, *arguments: Any) -> None:
    """kernel(*arguments, begin, end) for parts of range(jobs), on all threads if that is worth it.

    Parameters
    ----------
    kernel : a `@kernel` function of the arguments, begin and end, which returns nothing.
    jobs : how many there are. They may run at once and in any order.
    numbers : how many numbers the jobs go through together.
    arguments : arrays, numbers and tuples.
    """
    note = recorder
    if note is not None:
        note(kernel, jobs, numbers, arguments)
    if config.DISABLE_JIT:
        kernel(*arguments, 0, jobs)
        return
    count = threads_for(jobs, numbers)
    together = count > 1 and LOCK.acquire(blocking=False)  # else other threads of the program have the cores
    try:
        launcher(kernel)(0, address_of_share() if together else 0, jobs, count, *arguments)
    finally:
        if together:
            LOCK.release()

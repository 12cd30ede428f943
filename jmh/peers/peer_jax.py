#!/usr/bin/env python3
"""JAX beside Ringstep: peer_jax.py --data DIR [--device cuda] [--threads N] [--quick]

A jitted step a call, and whole loops inside one jit (lax.scan, unrolled 1, 8 and 32 times); ensembles by vmap. Prints a
line of JSON for each figure; the report takes the best.
"""
import os
import sys

from workload import GATE_STEPS, LEARNING_RATE, Printer, Problem, arguments, start_up

options = arguments(__doc__)
# Read when JAX is loaded. One thread is one core, whatever XLA's own pool would like.
os.environ["JAX_PLATFORMS"] = options.device
if options.device == "cpu":
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from functools import partial  # noqa: E402

SEED_STEPS = 10_000
CALLED_STEPS = 1_000  # of those that are a call each
UNROLL = (1, 8, 32)
MODELS = (2, 64, 1024)
HIGHEST = jax.lax.Precision.HIGHEST


def forward(parameters, x):
    w1, b1, w2, b2 = parameters
    h = jnp.dot(x, w1.T, precision=HIGHEST) + b1
    return jnp.dot(h, w2.T, precision=HIGHEST) + b2


def loss(parameters, x, y):
    return jnp.mean((forward(parameters, x) - y) ** 2)


def step(parameters, x, y):
    return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, jax.grad(loss)(parameters, x, y))


@partial(jax.jit, static_argnames="unroll", donate_argnums=0)
def scan(parameters, xs, ys, unroll):
    """One step on each of the batches xs [steps, batch, 10], ys [steps, batch, 1]."""
    return jax.lax.scan(lambda p, xy: (step(p, *xy), None), parameters, (xs, ys), unroll=unroll)[0]


@partial(jax.jit, static_argnames="steps", donate_argnums=0)
def repeat(parameters, x, y, steps):
    """`steps` steps on one batch that stays where it is."""
    return jax.lax.fori_loop(0, steps, lambda _, p: step(p, x, y), parameters)


called = jax.jit(step, donate_argnums=0)
predicted = jax.jit(forward)
vmapped = jax.vmap(step, in_axes=(0, None, None))


@partial(jax.jit, donate_argnums=0)
def scan_models(parameters, xs, ys):
    return jax.lax.scan(lambda p, xy: (vmapped(p, *xy), None), parameters, (xs, ys))[0]


class State:
    """Parameters that go on from call to call, as their buffers are given to each."""

    def __init__(self, start):
        self.parameters = [jnp.array(value) for value in start]

    def apply(self, function, *arguments):
        self.parameters = function(self.parameters, *arguments)

    def wait(self):
        jax.block_until_ready(self.parameters)


def stacked(problem, batch, steps):
    rows = batch * steps
    return jnp.array(problem.x[:rows].reshape(steps, batch, 10)), jnp.array(problem.y[:rows].reshape(steps, batch, 1))


def gate(problem, batch, train):
    state = State(problem.start)
    train(state, *stacked(problem, batch, GATE_STEPS))
    return problem.error(batch, state.parameters)


def seed(printer, problem, threads):
    def each(state, xs, ys):
        for x, y in zip(xs, ys):
            state.apply(called, x, y)
        state.wait()

    error = gate(problem, 1, each)
    xs, ys = (list(a) for a in stacked(problem, 1, CALLED_STEPS))
    state = State(problem.start)
    printer.time("seed", "jit, a call a step", threads, CALLED_STEPS, lambda: each(state, xs, ys), error)
    xs, ys = stacked(problem, 1, SEED_STEPS)
    for unroll in UNROLL:
        def all_steps(state, xs, ys, unroll=unroll):
            state.apply(lambda p, a, b: scan(p, a, b, unroll), xs, ys)
            state.wait()

        error = gate(problem, 1, all_steps)
        state = State(problem.start)
        printer.time("seed", f"jit, scan, unroll {unroll}", threads, SEED_STEPS, lambda: all_steps(state, xs, ys), error)
    for models in MODELS:
        state = State([[value] * models for value in problem.start])
        steps = SEED_STEPS if models == 2 else 200

        def ensemble():
            state.apply(scan_models, xs[:steps], ys[:steps])
            state.wait()

        printer.time(f"ensemble-{models}", "vmap, scan", threads, steps, ensemble, 0)


def batch_steps(printer, problem, threads, batch):
    x, y = jnp.array(problem.x[:batch]), jnp.array(problem.y[:batch])
    steps = max(1, min(100, (1 << 20) // batch))

    def all_steps():
        state.apply(lambda p: repeat(p, x, y, steps))
        state.wait()

    error = 0
    if batch == 64:
        def each(state, xs, ys):
            state.apply(lambda p, a, b: scan(p, a, b, 1), xs, ys)
            state.wait()
        error = gate(problem, batch, each)
    state = State(problem.start)
    printer.time(f"batch-{batch}", "jit, loop", threads, batch * steps, all_steps, error)


def predictions(printer, problem, threads):
    parameters = [jnp.array(value) for value in problem.start]
    if threads == 1:
        rows = [jnp.array(problem.x[r:r + 1]) for r in range(CALLED_STEPS)]

        def one_by_one():
            for row in rows:
                predicted(parameters, row).block_until_ready()

        printer.time("forward-one", "jit", threads, CALLED_STEPS, one_by_one, 0)
    x = jnp.array(problem.x)
    printer.time(f"forward-{1 << 20}", "jit", threads, 1 << 20, lambda: predicted(parameters, x).block_until_ready(), 0)


def main():
    printer = Printer(f"JAX {jax.__version__}", options.device, options.quick)
    if options.first_step:
        problem = Problem(options.data, 1)
        state = State(problem.start)
        state.apply(called, *stacked(problem, 1, 1))
        state.wait()
        return
    if options.start_up:
        start_up(printer, [sys.executable, __file__, "--data", str(options.data), "--device", options.device, "--first-step"])
        return
    problem = Problem(options.data, 1 << 20)
    if options.threads == 1 or options.device == "cuda":
        seed(printer, problem, options.threads)
    for batch in (64, 1024, 16384, 1 << 20):
        batch_steps(printer, problem, options.threads, batch)
    predictions(printer, problem, options.threads)


if __name__ == "__main__":
    main()

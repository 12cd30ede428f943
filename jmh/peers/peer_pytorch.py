#!/usr/bin/env python3
"""PyTorch beside Ringstep: peer_pytorch.py --data DIR [--device cuda] [--threads N] [--quick]

Every way of writing the step is timed, from "as usually written" to a CUDA graph of 100 steps; the report takes the best.
Prints a line of JSON for each figure.
"""
import sys

import torch

from workload import GATE_STEPS, LEARNING_RATE, SHAPES, Printer, Problem, arguments, start_up

SEED_STEPS = 1000
GRAPH_STEPS = (1, 100)


class Usual:
    """As usually written: modules, a loss function and an optimizer."""

    def __init__(self, start, device):
        self.model = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.Linear(20, 1)).to(device)
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), start):
                parameter.copy_(torch.from_numpy(value))
        self.loss = torch.nn.MSELoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE)
        self.parameters = list(self.model.parameters())
        self.forward = self.model

    def step(self, x, y):
        self.optimizer.zero_grad()
        self.loss(self.model(x), y).backward()
        self.optimizer.step()


class ByHand:
    """Tensors and autograd, without modules and without an optimizer."""

    def __init__(self, start, device):
        self.parameters = [torch.tensor(value, device=device, requires_grad=True) for value in start]

    def forward(self, x):
        w1, b1, w2, b2 = self.parameters
        return torch.nn.functional.linear(torch.nn.functional.linear(x, w1, b1), w2, b2)

    def step(self, x, y):
        gradients = torch.autograd.grad(torch.nn.functional.mse_loss(self.forward(x), y), self.parameters)
        with torch.no_grad():
            torch._foreach_add_(self.parameters, gradients, alpha=-LEARNING_RATE)


class Compiled:
    """torch.compile of the whole step, the gradient by torch.func so that it is one graph."""

    def __init__(self, start, device, mode):
        self.parameters = [torch.tensor(value, device=device) for value in start]

        def loss(parameters, x, y):
            w1, b1, w2, b2 = parameters
            return torch.nn.functional.mse_loss(torch.nn.functional.linear(torch.nn.functional.linear(x, w1, b1), w2, b2), y)

        def step(parameters, x, y):
            for parameter, gradient in zip(parameters, torch.func.grad(loss)(tuple(parameters), x, y)):
                parameter.sub_(gradient, alpha=LEARNING_RATE)

        self.compiled = torch.compile(step, mode=mode, fullgraph=True, dynamic=False)

    def step(self, x, y):
        self.compiled(self.parameters, x, y)


class Graph:
    """A CUDA graph of `count` steps of ByHand, on rows copied into it for each replay."""

    def __init__(self, start, device, count, batch):
        self.count, self.by_hand = count, ByHand(start, device)
        self.parameters = self.by_hand.parameters
        self.x = torch.zeros(count * batch, 10, device=device)
        self.y = torch.zeros(count * batch, 1, device=device)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # what a capture may not do the first time
            for _ in range(3):
                self.by_hand.step(self.x[:batch], self.y[:batch])
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for k in range(count):
                self.by_hand.step(self.x[k * batch:(k + 1) * batch], self.y[k * batch:(k + 1) * batch])
        with torch.no_grad():
            for parameter, value in zip(self.parameters, start):
                parameter.copy_(torch.from_numpy(value))

    def step(self, x, y):
        self.x.copy_(x)
        self.y.copy_(y)
        self.graph.replay()


def batches(problem, device, batch, steps):
    """The first `steps` batches, sliced beforehand."""
    x = torch.from_numpy(problem.x[:batch * steps]).to(device)
    y = torch.from_numpy(problem.y[:batch * steps]).to(device)
    return list(x.split(batch)), list(y.split(batch))


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def run(trainer, xs, ys, device):
    for x, y in zip(xs, ys):
        trainer.step(x, y)
    wait(device)


def ways(device, batch, steps):
    """Name, steps in one call, and how to make it from the starting point."""
    yield "eager, as usually written", 1, lambda start: Usual(start, device)
    yield "eager, by hand", 1, lambda start: ByHand(start, device)
    modes = ["default"] if device == "cpu" else ["reduce-overhead", "max-autotune"]
    for mode in modes:
        yield f"torch.compile, {mode}", 1, lambda start, mode=mode: Compiled(start, device, mode)
    if device == "cuda":
        for count in GRAPH_STEPS:
            if count <= steps:
                yield f"CUDA graph of {count} step{'s'[:count - 1]}", count, lambda start, count=count: Graph(start, device, count, batch)


def train(printer, problem, device, threads, name, batch, steps):
    for variant, count, make in ways(device, batch, steps):
        try:
            error = 0
            if batch <= 64:  # the gate: weights after 100 steps
                trainer = make(problem.start)
                run(trainer, *batches(problem, device, batch * count, GATE_STEPS // count), device)
                error = problem.error(batch, [p.detach().cpu().numpy() for p in trainer.parameters])
            trainer = make(problem.start)
            xs, ys = batches(problem, device, batch * count, steps // count)
            printer.time(name, variant, threads, batch * steps if batch > 1 else steps, lambda: run(trainer, xs, ys, device), error)
        except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as failure:
            printer.failed(name, variant, failure)


def predict(printer, problem, device, threads, name, batch, calls):
    by_hand = ByHand(problem.start, device)
    xs, _ = batches(problem, device, batch, calls)
    with torch.inference_mode():
        def work():
            for x in xs:
                by_hand.forward(x)
            wait(device)
        printer.time(name, "eager, by hand", threads, batch * calls, work, 0)


def main():
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device")
    printer = Printer(f"PyTorch {torch.__version__}", options.device, options.quick)
    if options.first_step:
        problem = Problem(options.data, 1)
        run(ByHand(problem.start, options.device), *batches(problem, options.device, 1, 1), options.device)
        return
    if options.start_up:
        start_up(printer, [sys.executable, __file__, "--data", str(options.data), "--device", options.device, "--first-step"])
        return
    problem = Problem(options.data, 1 << 20)
    if options.threads == 1 or options.device == "cuda":
        train(printer, problem, options.device, options.threads, "seed", 1, SEED_STEPS)
        predict(printer, problem, options.device, options.threads, "forward-one", 1, SEED_STEPS)
    for batch in (64, 1024, 16384, 1 << 20):
        steps = max(1, min(100, (1 << 20) // batch))
        train(printer, problem, options.device, options.threads, f"batch-{batch}", batch, steps)
    predict(printer, problem, options.device, options.threads, f"forward-{1 << 20}", 1 << 20, 1)


if __name__ == "__main__":
    main()

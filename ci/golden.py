#!/usr/bin/env python3
"""Makes the training cases that are kept under java-api/src/test/resources/golden-features: PyTorch's answers to every
loss, penalty, schedule and average after 100 steps, in float64. Needs torch, numpy and safetensors; run it only to add a
case, as `ci/golden.py FOLDER`.

One folder a case, as golden/README.md describes, with more settings in case.json. Dropout has no case: its masks are not
PyTorch's random numbers.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.optim import lr_scheduler as schedules
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.set_default_dtype(torch.float64)
ROWS, BATCH, EPOCHS = 80, 16, 20  # 100 steps


def network(sizes, activation):
    layers = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "identity": nn.Identity}
    modules = []
    for i in range(len(sizes) - 1):
        modules.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i + 2 < len(sizes):
            modules.append(layers[activation]())
    return nn.Sequential(*modules)


def round_to_float32(module):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(p.float().double())


def tensors(module):
    linear = [m for m in module.modules() if isinstance(m, nn.Linear)]
    return {f"fc{k + 1}.{name}": getattr(m, name).detach().numpy().astype(np.float32)
            for k, m in enumerate(linear) for name in ("weight", "bias")}


def row_losses(case, z, y):
    """The loss of every row, a mean over its outputs."""
    kind = case.get("loss", "mse")
    if kind == "cross-entropy":
        return nn.functional.cross_entropy(z, y[:, 0].long(), reduction="none")
    function = {
        "mse": nn.functional.mse_loss,
        "mae": nn.functional.l1_loss,
        "huber": lambda z, y, reduction: nn.functional.huber_loss(z, y, reduction=reduction, delta=case["delta"]),
        "bce": nn.functional.binary_cross_entropy_with_logits,
    }[kind]
    return function(z, y, reduction="none").mean(dim=1)


def mean_loss(case, z, y, w):
    losses = row_losses(case, z, y)
    return losses.mean() if w is None else (w * losses).sum() / w.sum()


def make_schedule(case, optimizer):
    s = case.get("schedule")
    if s is None or s["kind"] == "plateau":
        return None
    steps_per_epoch = ROWS // BATCH
    total, warmup = EPOCHS * steps_per_epoch, s.get("warmup_steps", 0)
    main = {
        "constant": lambda: schedules.LambdaLR(optimizer, lambda t: 1.0),
        "step": lambda: schedules.StepLR(optimizer, s["epochs"] * steps_per_epoch, s["gamma"]),
        "cosine": lambda: schedules.CosineAnnealingLR(optimizer, total - warmup, s["min_lr"]),
    }[s["kind"]]()
    if warmup == 0:
        return main
    linear = schedules.LinearLR(optimizer, start_factor=s["warmup_start"], total_iters=warmup)
    return schedules.SequentialLR(optimizer, [linear, main], milestones=[warmup])


def make_data(case, rng):
    sizes, kind = case["sizes"], case.get("loss", "mse")
    x = rng.uniform(-1, 1, (ROWS, sizes[0])).astype(np.float32)
    answers = np.sin(x @ rng.normal(size=(sizes[0], sizes[-1])) * 2) * 2
    if kind == "cross-entropy":
        y = answers.argmax(axis=1)[:, None]
    elif kind == "bce":
        y = answers > 0
    else:
        y = answers + rng.normal(size=answers.shape) * 0.1
    w = rng.uniform(0.1, 3, ROWS).astype(np.float32) if case.get("weights") else None
    return x, y.astype(np.float32), w


def train(case, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = network(case["sizes"], case["activation"])
    round_to_float32(model)
    init = tensors(model)
    x32, y32, w32 = make_data(case, rng)
    x, y = torch.tensor(x32, dtype=torch.float64), torch.tensor(y32, dtype=torch.float64)
    w = None if w32 is None else torch.tensor(w32, dtype=torch.float64)
    o = {k: v for k, v in case["optimizer"].items() if k != "kind"}
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[
        case["optimizer"]["kind"]](model.parameters(), **o)
    schedule = make_schedule(case, optimizer)
    plateau = None
    if case.get("schedule", {}).get("kind") == "plateau":
        s = case["schedule"]
        plateau = schedules.ReduceLROnPlateau(optimizer, factor=s["factor"], patience=s["patience"],
                                              min_lr=s["min_lr"])
    average, a = None, case.get("average")
    if a:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(a["decay"]) if a["kind"] == "ema" else None)

    losses, rates = [], []
    for epoch in range(EPOCHS):
        epoch_loss, epoch_weight = 0.0, 0.0
        for first in range(0, ROWS, BATCH):
            part = slice(first, first + BATCH)
            own = None if w is None else w[part]
            loss = mean_loss(case, model(x[part]), y[part], own)
            losses.append(loss.item())
            rates.append(optimizer.param_groups[0]["lr"])
            weight = BATCH if own is None else own.sum().item()
            epoch_loss += loss.item() * weight
            epoch_weight += weight
            optimizer.zero_grad()
            if case.get("l1"):
                loss = loss + case["l1"] * sum(p.abs().sum() for p in model.parameters())
            loss.backward()
            if case.get("clip_norm"):
                nn.utils.clip_grad_norm_(model.parameters(), case["clip_norm"])
            if case.get("clip_value"):
                nn.utils.clip_grad_value_(model.parameters(), case["clip_value"])
            optimizer.step()
            if schedule:
                schedule.step()
            if a and a["kind"] == "ema":
                average.update_parameters(model)
        if a and a["kind"] == "swa" and epoch >= a["start"]:
            average.update_parameters(model)
        if plateau:
            plateau.step(epoch_loss / epoch_weight)
    final = average.module if average else model
    with torch.no_grad():
        evaluated = mean_loss(case, final(x), y, w).item()
    data = {"x": x32, "y": y32} | ({} if w32 is None else {"weights": w32})
    return init, data, tensors(final), losses, rates, evaluated


SGD = {"kind": "sgd", "lr": 0.1}
MOMENTUM = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}
ADAM = {"kind": "adam", "lr": 0.01}
ADAMW = {"kind": "adamw", "lr": 0.01, "weight_decay": 0.05}
REGRESSION = {"sizes": [5, 12, 2], "activation": "tanh"}
CLASSES = {"sizes": [5, 12, 4], "activation": "tanh"}
CASES = {
    "mae": REGRESSION | {"loss": "mae", "optimizer": SGD},
    "huber": REGRESSION | {"loss": "huber", "delta": 0.5, "optimizer": MOMENTUM},
    "bce": REGRESSION | {"loss": "bce", "optimizer": ADAM},
    "cross-entropy": CLASSES | {"loss": "cross-entropy", "optimizer": MOMENTUM},
    "cross-entropy-adamw": CLASSES | {"loss": "cross-entropy", "optimizer": ADAMW, "activation": "sigmoid"},
    "mse-weights": REGRESSION | {"weights": True, "optimizer": MOMENTUM},
    "bce-weights": REGRESSION | {"loss": "bce", "weights": True, "optimizer": SGD},
    "cross-entropy-weights": CLASSES | {"loss": "cross-entropy", "weights": True, "optimizer": SGD},
    "l1": REGRESSION | {"l1": 0.002, "optimizer": ADAM},
    "elastic-net": REGRESSION | {"l1": 0.002, "optimizer": MOMENTUM},
    "clip-norm": REGRESSION | {"clip_norm": 0.2, "optimizer": MOMENTUM},
    "clip-norm-l1": REGRESSION | {"clip_norm": 0.2, "l1": 0.01, "optimizer": MOMENTUM},
    "clip-value": REGRESSION | {"clip_value": 0.02, "optimizer": MOMENTUM},
    "schedule-step": REGRESSION | {"optimizer": MOMENTUM, "schedule": {"kind": "step", "epochs": 3, "gamma": 0.7}},
    "schedule-cosine": REGRESSION | {"optimizer": ADAM, "schedule": {"kind": "cosine", "min_lr": 0.001}},
    "schedule-warmup": REGRESSION | {"optimizer": SGD, "schedule": {
        "kind": "constant", "warmup_steps": 30, "warmup_start": 0.1}},
    "schedule-warmup-cosine": REGRESSION | {"optimizer": MOMENTUM, "schedule": {
        "kind": "cosine", "min_lr": 0.0, "warmup_steps": 13, "warmup_start": 1 / 3}},
    "schedule-warmup-step": REGRESSION | {"optimizer": SGD, "schedule": {
        "kind": "step", "epochs": 4, "gamma": 0.5, "warmup_steps": 7, "warmup_start": 0.25}},
    "schedule-plateau": REGRESSION | {"optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.97}, "schedule": {
        "kind": "plateau", "factor": 0.5, "patience": 0, "min_lr": 0.01}},
    "ema": REGRESSION | {"optimizer": MOMENTUM, "average": {"kind": "ema", "decay": 0.95}},
    "swa": REGRESSION | {"optimizer": MOMENTUM, "average": {"kind": "swa", "start": 8}},
}


def main(folder):
    for number, (name, case) in enumerate(CASES.items()):
        init, data, expected, losses, rates, evaluated = train(case, 1000 + number)
        target = pathlib.Path(folder, name)
        target.mkdir(parents=True, exist_ok=True)
        settings = case | {"batch": BATCH, "epochs": EPOCHS, "samples": ROWS, "tolerance": 1e-5,
                           "final_loss": evaluated, "torch": torch.__version__}
        (target / "case.json").write_text(json.dumps(settings, indent=1) + "\n")
        (target / "losses.json").write_text(json.dumps(losses) + "\n")
        (target / "rates.json").write_text(json.dumps(rates) + "\n")
        for file, content in (("init", init), ("data", data), ("expected", expected)):
            save_file(content, target / f"{file}.safetensors")
        print(f"{name}: loss {losses[0]:.4g} to {losses[-1]:.4g}, lr {rates[0]:.4g} to {rates[-1]:.4g}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: ci/golden.py FOLDER")
    main(sys.argv[1])

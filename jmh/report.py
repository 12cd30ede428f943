#!/usr/bin/env python3
"""Makes README.md and the charts, beside it, from the raw data of one run: python3 jmh/report.py RAW.json

Everything becomes a time for one step or one sample, so that a ratio of two is "so many times the time": both wins and
losses are printed alike. Ends with 1 where a step allocated memory. Needs nothing but Python's standard library.
"""
import json
import statistics
import sys
from pathlib import Path

import charts

BATCHES = (64, 1024, 16384, 1 << 20)
ALL = 1 << 20
# The frameworks on the JVM; what is written by hand for this one network is none.
FRAMEWORKS = ("javacpp-pytorch", "djl", "dl4j")
CLIFF = 1.5
CARRIED = {"ringstep": "Ringstep, with everything for the CPU", "ringstep-cuda": "the same with the CUDA engine",
           "ringstep-all": "the same with the command line and NCCL's finder"}
# What a step on the CPU allocates on the heap: nothing. JMH's own few bytes an iteration are shared out over the steps.
NO_ALLOCATION = ("SeedLoop.stepArrays", "SeedLoop.stepBuffers", "Forward.oneBuffer")
MOST_BYTES = 0.5
# A sample's bytes, and its multiply-adds in a training step and in a prediction: for the machine's floor.
SAMPLE_BYTES, STEP_FMAS, FORWARD_FMAS = 44, 480, 220


class Times:
    """Median, least and most of some times in nanoseconds, of how many runs, and what took them."""

    def __init__(self, median, least, most, runs, who=""):
        self.median, self.least, self.most, self.runs, self.who = median, least, most, runs, who

    @staticmethod
    def of(values, who=""):
        return Times(statistics.median(values), min(values), max(values), len(values), who)

    def text(self):
        """In nanoseconds; what takes over a tenth of a second in milliseconds, with the unit."""
        scale, unit = (1e6, " ms") if self.median >= 1e8 else (1, "")
        return f"{number(self.median / scale)} ({number(self.least / scale)} – {number(self.most / scale)}){unit}"


def number(value):
    """Three digits, with thousands set apart."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def ratio(ours, theirs):
    """How we stand beside them, and between which extremes."""
    if ours is None or theirs is None:
        return "–"
    if ours.median <= theirs.median:
        return f"**{number(theirs.median / ours.median)}× faster** ({number(theirs.least / ours.most)} – {number(theirs.most / ours.least)})"
    return f"{ours.median / theirs.median:.2f}× slower ({ours.least / theirs.most:.2f} – {ours.most / theirs.least:.2f})"


class Run:
    """The raw data of one run, by what was measured."""

    def __init__(self, raw):
        self.raw, self.machine = raw, raw["machine"]
        self.jmh = jmh_times(raw["jmh"], "io.ringstep.jmh.")
        self.allocated = {
            (result["benchmark"].removeprefix("io.ringstep.jmh."), frozenset(result.get("params", {}).items())):
                result["secondaryMetrics"]["gc.alloc.rate.norm"]["score"]
            for result in raw["jmh"] if "gc.alloc.rate.norm" in result["secondaryMetrics"]}
        self.line, self.drift, self.line_entries = line_times(raw["line"])
        self.names = {"javacpp-pytorch": "JavaCPP-PyTorch", "djl": "DJL with PyTorch", "dl4j": "DL4J",
                      "vector-api": "Vector API (JDK 25)", "pytorch": "PyTorch", "jax": "JAX"}
        self.peers = {name: peer_times(results) for name, results in raw.get("peers", {}).items()}
        for entry in raw.get("python", []):
            name = "jax" if entry["system"].startswith("JAX") else "pytorch"
            times = Times(entry["median"], entry["min"], entry["max"], entry["runs"], entry["variant"])
            self.peers.setdefault(name, {}).setdefault((entry["name"], entry["threads"]), []).append(times)

    def ours(self, work, threads=1):
        """Our time for a piece of work, as the peers' are named."""
        kind, _, size = work.partition("-")
        if work == "seed":
            return self.benchmark("SeedLoop.fit")
        if work == "start-up":
            return self.benchmark("StartUp.firstStep")
        if work == "forward-one":
            return self.benchmark("Forward.oneBuffer")
        if kind == "forward":
            return self.benchmark("Forward.all", threads=threads)
        return self.benchmark("BatchStep.fit", batch=size, threads=threads)

    def benchmark(self, name, **parameters):
        """The one benchmark of this name whose parameters are these, whatever its others."""
        wanted = {(key, str(value)) for key, value in parameters.items()}
        return next((times for (found, have), times in self.jmh.items() if found == name and wanted <= have), None)

    def best_line(self, work, threads=1):
        names = ("seed-registers", "seed-plain") if work == "seed" else ("forward-one",) if work == "forward-one" else \
            tuple(f"{work}-t{t}" for t in range(1, threads + 1))
        return min((self.line[name] for name in names if name in self.line), key=lambda t: t.median, default=None)

    def peer(self, name, work, threads=1, variant=None):
        """A peer's best time, on so many threads or fewer."""
        found = [times for t in range(1, threads + 1) for times in self.peers.get(name, {}).get((work, t), [])
                 if variant is None or variant in times.who]
        return min(found, key=lambda times: times.median, default=None)

    def plain_java(self, work):
        return self.benchmark({"seed": "PlainJava.train", "forward-one": "PlainJava.forward"}.get(work, ""))

    def framework(self, work, threads=1):
        """The best of the JVM's frameworks, and its name."""
        found = [(self.peer(name, work, threads), name) for name in FRAMEWORKS]
        best = min((pair for pair in found if pair[0]), key=lambda pair: pair[0].median, default=(None, None))
        return best[0], self.names.get(best[1])


def jmh_times(results, prefix):
    times = {}
    for result in results:
        metric = result["secondaryMetrics"].get("samples", result["primaryMetric"])
        values = [value for fork in metric["rawData"] for value in fork]
        if result["mode"] == "thrpt":  # samples a second
            values = [1e9 / value for value in values]
        times[result["benchmark"].removeprefix(prefix), frozenset(result.get("params", {}).items())] = Times.of(values)
    return times


def peer_times(results):
    """The times of one Java peer, as the Python peers' are named: by work and threads."""
    works = {}
    for (name, parameters), times in jmh_times(results, "io.ringstep.workload.").items():
        parameters = dict(parameters)
        work = {"PeerSeed.train": "seed", "PeerSeed.forward": "forward-one", "PeerStartUp.firstStep": "start-up",
                "PeerBatch.train": f"batch-{parameters.get('batch')}", "PeerForward.all": f"forward-{ALL}"}.get(name)
        if work:
            works.setdefault((work, int(parameters.get("threads", 1))), []).append(times)
    return works


def line_times(entries):
    """The times of each loop of the line, of its two runs together, and how they differ: after / before."""
    times, drift, first = {}, {}, {}
    for name in dict.fromkeys(entry["name"] for entry in entries):
        both = [entry for entry in entries if entry["name"] == name]
        times[name] = Times(statistics.median(e["median"] for e in both), min(e["min"] for e in both),
                            max(e["max"] for e in both), sum(e["runs"] for e in both))
        drift[name] = both[-1]["median"] / both[0]["median"]
        first[name] = both[0]
    return times, drift, first


def works(run):
    """Title, work and threads of all that is compared, where we have it."""
    cores = min(2, run.machine["cores"])
    rows = [("Step, batch 1, `fit`", "seed", 1)]
    for batch in BATCHES:
        rows += [(f"Step, batch {batch:,}, {t} thread{'s'[:t - 1]}", f"batch-{batch}", t) for t in range(1, cores + 1)]
    rows.append(("Predict one", "forward-one", 1))
    rows += [(f"Predict {ALL:,}, {t} thread{'s'[:t - 1]}", f"forward-{ALL}", t) for t in range(1, cores + 1)]
    rows.append(("Process that trains one step", "start-up", 1))
    return [row for row in rows if run.ours(row[1], row[2])]


def ratios(run):
    names = [name for name in (*FRAMEWORKS, "vector-api", "jax", "pytorch") if name in run.peers]
    head = ["Ringstep beside", "the C++ line", "plain Java", *(run.names[name] for name in names)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    extra = [("Step, batch 1, `step(float[], float[])`", run.benchmark("SeedLoop.stepArrays"), "seed", 1),
             ("Step, batch 1, `step(FloatBuffer, FloatBuffer)`", run.benchmark("SeedLoop.stepBuffers"), "seed", 1)]
    rows = [(title, run.ours(work, t), work, t) for title, work, t in works(run)]
    for title, ours, work, t in [rows[0], *[row for row in extra if row[1]], *rows[1:]] if rows else []:
        line = None if work == "start-up" else run.best_line(work, t)
        cells = [ratio(ours, line), ratio(ours, run.plain_java(work))]
        cells += [ratio(ours, run.peer(name, work, t)) for name in names]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def floor(run, work, threads):
    """Nanoseconds that no program on this machine can beat: its multiply-adds, or its bytes from memory, at the ceiling."""
    fma, read = run.line.get(f"fma-t{threads}"), run.line.get(f"read-t{threads}")
    if not fma or work.startswith(("seed", "start", "forward-one")):
        return None
    fmas = FORWARD_FMAS if work.startswith("forward") else STEP_FMAS
    arithmetic, memory = fmas / fma.median, SAMPLE_BYTES / read.median
    big = int(work.split("-")[1]) * SAMPLE_BYTES > 1 << 22  # past the caches
    return (memory, "memory") if big and memory > arithmetic else (arithmetic, "multiply-adds")


def times_table(run):
    lines = ["| | Ringstep | million a second | the machine's floor | C++ line | plain Java |", "|---|---|---|---|---|---|"]
    for title, work, t in works(run):
        ours, line = run.ours(work, t), None if work == "start-up" else run.best_line(work, t)
        least = floor(run, work, t)
        least = f"{least[0]:.2f} ({least[1]}), {least[0] / ours.median:.0%}" if least else "–"
        plain = run.plain_java(work)
        rate = "–" if work == "start-up" else number(1e3 / ours.median)
        lines.append(f"| {title} | {ours.text()} | {rate} | {least} | {line.text() if line else '–'} "
                     f"| {plain.text() if plain else '–'} |")
    for name in ("stepArrays", "stepBuffers"):
        ours = run.benchmark(f"SeedLoop.{name}")
        if ours:
            lines.append(f"| Step, batch 1, `{name}` | {ours.text()} | {number(1e3 / ours.median)} | – | – | – |")
    one = run.benchmark("Forward.oneArray")
    if one:
        lines.append(f"| Predict one, `float[]` | {one.text()} | {number(1e3 / one.median)} | – | – | – |")
    return lines


def goals(run):
    """What was set out to reach: the goal, what came out, whether that is it. None where it was not measured."""
    seed, line = run.ours("seed"), run.best_line("seed")
    arrays, plain = run.benchmark("SeedLoop.stepArrays"), run.plain_java("seed")
    framework, framework_name = run.framework("seed")

    def times_faster(theirs, ours, least, what, line=None):
        if ours and theirs:
            value = theirs.median / ours.median
            # Where the line itself would miss it, the goal is out of reach on this machine.
            reach = f"; the C++ line {number(theirs.median / line.median)}×" if line and value < least else ""
            yield f"{what}: {least:,}× or more", f"{number(value)}×{reach}", value >= least

    def at_most(value, most, what, unit=""):
        if value is not None:
            yield f"{what}: at most {most:g}{unit}", f"{value:.3g}{unit}", value <= most

    def millions(times, least, what):
        if times:
            yield f"{what}: {least} million samples a second", f"{1e3 / times.median:.3g} million", 1e3 / times.median >= least

    yield from at_most(seed and line and seed.median / line.median, 1.15, "Batch 1, `fit`, beside the C++ line", "×")
    for name, least in (("jax", 25), ("javacpp-pytorch", 2500), ("djl", 5000), ("pytorch", 5000)):
        yield from times_faster(run.peer(name, "seed"), seed, least, f"Batch 1, `fit`, beside {run.names[name]} at its best", line)
    yield from times_faster(run.peer("pytorch", "seed", variant="usually"), seed, 5000, "Batch 1, `fit`, beside PyTorch as usually written", line)
    yield from at_most(two_models(run), 1.6, "Two models in one ensemble, beside one", "×")
    yield from ensembles(run)
    yield from at_most(arrays and arrays.median, 150, "`step(float[], float[])`", " ns")
    yield from times_faster(framework, arrays, 450, f"`step(float[], float[])` beside the JVM's best framework ({framework_name})")
    yield from at_most(arrays and plain and arrays.median / plain.median, 1, "`step(float[], float[])` beside plain Java", "×")
    one, two = run.ours("batch-16384"), run.ours("batch-16384", 2)
    yield from millions(one, 90, "Batch 16,384, one core")
    if one and two and run.machine["cores"] > 1:
        gain, alone, both = one.median / two.median, run.best_line("batch-16384"), run.best_line("batch-16384", 2)
        reach = f"; the C++ line {alone.median / both.median:.2f}×" if alone and both and gain < 1.9 else ""
        yield "Batch 16,384, two cores: 1.9× one or more", f"{gain:.2f}×{reach}", gain >= 1.9
    for name, least in (("jax", 6), ("pytorch", 10)):
        yield from times_faster(run.peer(name, "batch-16384"), one, least, f"Batch 16,384, one core, beside {run.names[name]}",
                                run.best_line("batch-16384"))
    yield from millions(run.ours(f"batch-{ALL}"), 70, f"Batch {ALL:,}, one core")
    yield from millions(run.ours("batch-64"), 50, "Batch 64")
    yield from millions(run.ours(f"forward-{ALL}"), 200, f"Predict {ALL:,}, one core")
    predict = run.ours("forward-one")
    yield from at_most(predict and predict.median, 60, "Predict one", " ns")
    start = run.ours("start-up")
    yield from at_most(start and start.median / 1e9, 0.25, "A process that trains one step", " s")
    yield from times_faster(run.peer("djl", "start-up"), start, 2.5, "A process that trains one step, beside DJL's")
    carried = {entry["system"]: entry["bytes"] / 1e6 for entry in run.raw.get("carry", [])}
    yield from at_most(carried.get("ringstep"), 5, "Jars to carry, for the CPU", " MB")
    steepest = max((c[3] for c in curves_and_cliffs(run)[1]), default=None)
    if run.benchmark("Scaling.batch"):
        yield (f"No cliff over {CLIFF}× between neighbours as cost grows",
               f"steepest {steepest:.2f}×" if steepest else "none", steepest is None)


def ensembles(run):
    """Goals of many models beside one, and of groups beside models on the same rows, on the same cores."""
    def share(theirs, ours, least, what):
        if theirs and ours:
            value = theirs.median / ours.median
            yield f"{what}: {least:g}× the samples a second or more", f"{value:.2f}×", value >= least

    if run.raw.get("device") == "cuda":
        return
    for order, name in (("shared", "in one order"), ("own", "each in an order of its own")):
        one, many = (run.benchmark("EnsembleStep.fit", models=models, order=order, threads=2) for models in (1, 1000))
        yield from share(one, many, 3, f"Ensemble of 1,000 at batch 1, {name}, beside one model alone, both with two cores")
    many = run.benchmark("EnsembleStep.fit", models=1000, order="own", threads=2)
    # Runs before there was a choice had one epoch a call.
    once = run.benchmark("GroupedStep.fit", groups=10000, threads=2, epochs=1) or run.benchmark("GroupedStep.fit", groups=10000, threads=2)
    often = run.benchmark("GroupedStep.fit", groups=10000, threads=2, epochs=8)
    beside = "10,000 groups of 50 to 500 rows at batch 1, beside the ensemble of 1,000, each in an order of its own"
    yield from share(many, often, 0.7, f"{beside}, of about as many steps a model")
    yield from share(many, once, 0.7, f"{beside}{', in one epoch' if often else ''}")


def two_models(run):
    """The time of two models in one ensemble over that of one, for a step of both."""
    found = {dict(parameters)["models"]: (times, name) for (name, parameters), times in run.jmh.items()
             if name.startswith("EnsembleStep") and dict(parameters).get("models") in ("1", "2")
             and dict(parameters).get("order", "shared") == "shared"}
    if len(found) < 2:
        return None
    counted = any("samples" in r["secondaryMetrics"] for r in run.raw["jmh"] if "EnsembleStep" in r["benchmark"])
    return found["2"][0].median / found["1"][0].median * (2 if counted else 1)  # counted: of one model's sample


def bound(run):
    """What our batches spend beside the line's, for the reader of a goal that was missed."""
    return ("What bounds a miss: at batch 1 the chain of dependent operations in a step; on larger batches the multiply-adds, "
            "whose floor stands in the table of times; past the caches the memory's bandwidth; "
            "with orders or groups of their own, finding and fetching each model's rows; on two threads what they wait for "
            "each other at each step; in a new process the JVM's own start.")


def curves_and_cliffs(run):
    """The curves of cost: {title: {threads: [(size, ns)]}}; and neighbours of which the larger costs over 1.5× more."""
    curves = {"ns a sample, by batch": {}, "ps a sample and parameter, by width": {}}
    for (name, parameters), times in run.jmh.items():
        parameters = dict(parameters)
        if name == "Scaling.batch":
            curve, size, cost = "ns a sample, by batch", int(parameters["batch"]), times.median
        elif name == "Scaling.width":
            size = int(parameters["width"])
            curve, cost = "ps a sample and parameter, by width", times.median / (size * size + 2 * size + 1) * 1e3
        else:
            continue
        curves[curve].setdefault(int(parameters["threads"]), []).append((size, cost))
    cliffs = []
    for title, by_threads in curves.items():
        for threads, points in by_threads.items():
            points.sort()
            cliffs += [(title, threads, (a, b), y / x) for (a, x), (b, y) in zip(points, points[1:]) if y / x > CLIFF]
    return curves, cliffs


def allocations(run):
    """Name, bytes an operation, and whether that is none, of what may not allocate."""
    for (name, _), value in sorted(run.allocated.items(), key=lambda item: item[0][0]):
        if name in NO_ALLOCATION:
            yield name, value, value < MOST_BYTES


def page(run, source):
    raw, machine = run.raw, run.machine
    busy = machine["load_average"][0] > 0.5
    where = "the GPU" if raw.get("device") == "cuda" else "the CPU"
    lines = [
        f"# Results on {where}", "",
        f"{raw['date']}, {machine['gpu'] + ', ' if machine.get('gpu') else ''}{machine['cpu']} (family/model {machine['cpu_family_model']}), {machine['cores']} cores, "
        f"commit `{machine['commit']}`. Made by `jmh/report.py` from [{source}]({source}), which has every single "
        "measurement; do not edit.", "",
    ]
    if busy or raw["form"] != "full":
        lines += ["> **Indicative only:** " + " and ".join(
            [f"the machine had other work (load average {machine['load_average'][0]})"] * busy
            + ["this was the quick form"] * (raw["form"] != "full")) + ".", ""]
    lines += [
        "Linear(10→20→1), no activation, float32, mean squared error, SGD, the same data for all. Each suite ran between two",
        "runs of the C++ line; every system agreed with float64 before any timing.", "",
        "![Time of each system](peers.svg)" if run.peers else "![Time beside the C++ line](chart.svg)", "",
        "## Ratios", "",
        "Of the medians; in brackets the ratio of the extremes, the least favourable to us and the most. A peer's best way and",
        "best number of threads counts, up to the threads that Ringstep had.", "",
        *ratios(run), "",
        "The C++ line is a limit, not a library: fixed sizes, no errors to report, and at batch 1 no loss value, which",
        "Ringstep computes and checks. Plain Java and the Vector API are loops written by hand for this one network.", "",
        "## Goals", "", "| goal | came out | |", "|---|---|---|",
        *[f"| {goal} | {value} | {'met' if met else '**missed**'} |" for goal, value, met in goals(run)], "", bound(run), "",
        "## Nanoseconds for one step of batch 1, or for one sample of a larger batch", "",
        "Median (least – most). The floor is what the multiply-adds, or the bytes of a batch past the caches, take at the",
        "machine's measured ceiling, and how much of our time that is.", "", *times_table(run), "",
    ]
    if run.peers:
        lines += ["## Peers, each way", "", "Nanoseconds, median (least – most) of so many runs.", "",
                  "| system | work | threads | way | time | runs |", "|---|---|---|---|---|---|"]
        lines += [f"| {run.names[name]} | {work} | {t} | {times.who or '–'} | {times.text()} | {times.runs} |"
                  for name, results in run.peers.items() for (work, t), ways in sorted(results.items()) for times in ways]
        lines += [""]
    ensembles = [(name, parameters, times) for (name, parameters), times in run.jmh.items() if name.startswith(("Ensemble", "Grouped", "AllReduce"))]
    if ensembles:
        lines += ["## Ensembles and all-reduce", "", "| benchmark | parameters | ns | ", "|---|---|---|"]
        lines += [f"| {name} | {', '.join(f'{k} {v}' for k, v in sorted(parameters))} | {times.text()} |" for name, parameters, times in ensembles]
        lines += [""]
    curves, cliffs = curves_and_cliffs(run)
    if any(curves.values()):
        lines += ["## How cost grows", "", "![Cost by size](scaling.svg)", "",
                  f"Neighbours of which the larger costs over {CLIFF}× more:" if cliffs else f"No size costs over {CLIFF}× its smaller neighbour.", ""]
        lines += [f"- {title}, {t} thread{'s'[:t - 1]}: {a:,} to {b:,}, {steep:.2f}×" for title, t, (a, b), steep in cliffs] + [""] * bool(cliffs)
    carried = raw.get("carry", [])
    if carried:
        lines += ["## What a user carries", "", "| | MB of jars |", "|---|---|"]
        names = {**CARRIED, **run.names}
        lines += [f"| {names[entry['system']]} | {entry['bytes'] / 1e6:.1f} |" for entry in carried] + [""]
    lines += ["## Bytes on the heap for one step", "", "| | bytes | |", "|---|---|---|"]
    lines += [f"| {name} | {value:.3f} | {'none' if met else '**allocates**'} |" for name, value, met in allocations(run)]
    lines += ["", f"Under {MOST_BYTES} is none: JMH's own few bytes an iteration, shared out over the steps.", "",
              "## Agreement with float64", "", "The largest difference of a weight, or a prediction, after 100 steps of batch 1 and of batch 64.", "",
              "| system | difference |", "|---|---|"]
    lines += [f"| {entry['system']} | {entry['error']:.1e} |" for entry in raw.get("gate", [])]
    python = {}
    for entry in raw.get("python", []):
        python[entry["system"]] = max(python.get(entry["system"], 0), entry["error"])
    lines += [f"| {name} | {error:.1e} |" for name, error in python.items()]
    lines += ["", "## The C++ line and the machine's ceilings", "",
              "Drift is the line's time after the suite over that before: far from 1, the machine changed meanwhile.", "",
              "| | median (least – most) | unit | drift | error against float64 |", "|---|---|---|---|---|"]
    for name, t in run.line.items():
        entry = run.line_entries[name]
        error = f"{entry['error']:.1e}" if entry["error"] else "–"
        lines.append(f"| {name} | {t.text()} | {entry['unit']} | {run.drift[name]:.2f} | {error} |")
    lines += ["", "`read` streams 512 MiB, `fma` counts single multiply-adds; `-t2` is on two threads. A sample of a training",
              f"step is {SAMPLE_BYTES} bytes and some {STEP_FMAS} multiply-adds, of a prediction {SAMPLE_BYTES} bytes and {FORWARD_FMAS}.", "",
              "## Machine", "", "| | |", "|---|---|"]
    lines += [f"| {key.replace('_', ' ')} | {value} |" for key, value in machine.items() if value != ""]
    lines += ["", "## Once more", "", "`jmh/run --peers` on a quiet machine, about twenty minutes: it writes this folder anew. "
              "`jmh/run --quick` tries it out.", ""]
    return "\n".join(lines)


def draw(run):
    """File names and their charts."""
    subtitle = f"{run.machine['cpu']}, {run.raw['date']}{', quick form' if run.raw['form'] != 'full' else ''}"
    rows = [(title.replace("`", ""), run.ours(work, t), run.best_line(work, t), run.plain_java(work))
            for title, work, t in works(run) if work != "start-up" and run.best_line(work, t)]
    if rows:
        yield "chart.svg", charts.beside_line(
            [(title, ours.median / line.median, java.median / line.median if java else None) for title, ours, line, java in rows], subtitle)
    if run.peers:
        groups = []
        for title, work in (("one step, batch 1", "seed"), ("a sample, batch 16,384", "batch-16384"), (f"a sample, batch {ALL:,}", f"batch-{ALL}"),
                            ("one prediction", "forward-one"), ("a process that trains one step", "start-up")):
            bars = [("Ringstep", run.ours(work)), ("C++ line", None if work == "start-up" else run.best_line(work)), ("plain Java", run.plain_java(work))]
            bars += [(run.names[name], run.peer(name, work)) for name in run.peers]
            bars = [(name, times.median) for name, times in bars if times]
            if run.ours(work) and len(bars) > 1:
                groups.append((title, sorted(bars, key=lambda bar: bar[1])))
        if groups:
            yield "peers.svg", charts.peers(groups, subtitle + ", one thread")
    curves, _ = curves_and_cliffs(run)
    if any(curves.values()):
        yield "scaling.svg", charts.scaling(curves, subtitle)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    run = Run(json.loads(source.read_text()))
    (source.parent / "README.md").write_text(page(run, source.name))
    for name, drawing in draw(run):
        (source.parent / name).write_text(drawing)
    print(f"page: {source.parent / 'README.md'}")
    for name, value, met in allocations(run):
        if not met:
            sys.exit(f"{name} allocates {value:.1f} bytes a step, where none is allowed")


if __name__ == "__main__":
    main()

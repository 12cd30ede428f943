#!/usr/bin/env python3
"""Makes README.md and chart.svg, beside it, from the raw data of one run: python3 jmh/report.py RAW.json

Everything becomes a time for one step or one sample, so that a ratio of two is "so many times the time": below 1
is a win, above 1 a loss, and both are printed alike. Needs nothing but Python's standard library.
"""
import json
import statistics
import sys
from html import escape
from pathlib import Path

# What is compared: title, our benchmark, the line's loops (the fastest counts), plain Java's benchmark.
SEED = ["seed-registers", "seed-plain"]
COMPARISONS = [
    ("Step, batch 1, `fit`", ("SeedLoop.fit", {}), SEED, "PlainJava.train"),
    ("Step, batch 1, `step(float[], float[])`", ("SeedLoop.stepArrays", {}), SEED, "PlainJava.train"),
    ("Step, batch 1, `step(FloatBuffer, FloatBuffer)`", ("SeedLoop.stepBuffers", {}), SEED, "PlainJava.train"),
    *[
        (f"Step, batch {batch:,}, {threads} thread{'s'[:threads - 1]}",
         ("BatchStep.fit", {"batch": str(batch), "threads": str(threads)}),
         [f"batch-{batch}-t{t}" for t in range(1, threads + 1)], None)
        for batch in (64, 1024, 16384, 1048576) for threads in (1, 2)
    ],
    ("Predict one, `float[]`", ("Forward.oneArray", {}), ["forward-one"], "PlainJava.forward"),
    ("Predict one, `FloatBuffer`", ("Forward.oneBuffer", {}), ["forward-one"], "PlainJava.forward"),
    *[
        (f"Predict 1,048,576, {threads} thread{'s'[:threads - 1]}",
         ("Forward.all", {"threads": str(threads)}),
         [f"forward-1048576-t{t}" for t in range(1, threads + 1)], None)
        for threads in (1, 2)
    ],
]


class Times:
    """Median, least and most of some times in nanoseconds, and the bytes a JVM allocated for each operation."""

    def __init__(self, values, allocated=None):
        self.median, self.least, self.most = statistics.median(values), min(values), max(values)
        self.allocated = allocated

    def __truediv__(self, other):
        ratio = Times([1])
        ratio.median = self.median / other.median
        ratio.least, ratio.most = self.least / other.most, self.most / other.least
        return ratio

    def text(self):
        return f"{self.median:.3g} ({self.least:.3g} – {self.most:.3g})"


def jmh_times(raw):
    """The times of each benchmark by its name and parameters."""
    times = {}
    for result in raw["jmh"]:
        metric = result["secondaryMetrics"].get("samples", result["primaryMetric"])
        values = [value for fork in metric["rawData"] for value in fork]
        allocated = result["secondaryMetrics"]["gc.alloc.rate.norm"]["score"]
        if result["mode"] == "thrpt":  # samples a second, and the bytes of a whole fit
            values, allocated = [1e9 / value for value in values], None
        name = result["benchmark"].removeprefix("io.ringstep.jmh.")
        times[name, frozenset(result.get("params", {}).items())] = Times(values, allocated)
    return times


def line_times(raw):
    """The times of each loop of the line, of its two runs together, and how they differ: after / before."""
    times, drift = {}, {}
    for name in dict.fromkeys(entry["name"] for entry in raw["line"]):
        before, after = [entry for entry in raw["line"] if entry["name"] == name]
        times[name] = Times([before["median"], after["median"]])
        times[name].least, times[name].most = min(before["min"], after["min"]), max(before["max"], after["max"])
        times[name].unit, times[name].error = before["unit"], max(before["error"], after["error"])
        drift[name] = after["median"] / before["median"]
    return times, drift


def compare(raw):
    """Rows of title, our times, the line's times, plain Java's times, the line's drift; None where there is none."""
    jmh, (line, drift) = jmh_times(raw), line_times(raw)
    for title, (name, params), loops, java in COMPARISONS:
        ours = jmh.get((name, frozenset(params.items())))
        best = min((loop for loop in loops if loop in line), key=lambda loop: line[loop].median, default=None)
        if ours:
            yield title, ours, line.get(best), jmh.get((java, frozenset())), drift.get(best)


def verdict(ratio):
    if ratio is None:
        return "–"
    if ratio.median < 1:
        return f"{1 / ratio.median:.2f}× faster ({1 / ratio.most:.2f} – {1 / ratio.least:.2f})"
    return f"{ratio.median:.2f}× slower ({ratio.least:.2f} – {ratio.most:.2f})"


def page(raw, source):
    rows, machine = list(compare(raw)), raw["machine"]
    line, drift = line_times(raw)
    busy = machine["load_average"][0] > 0.5
    lines = [
        "# Results on the CPU",
        "",
        f"{raw['date']}, {machine['cpu']} (family/model {machine['cpu_family_model']}), {machine['cores']} cores, "
        f"commit `{machine['commit']}`. Made by `jmh/report.py` from [{source}]({source}), which has every single "
        "measurement; do not edit.",
        "",
    ]
    if busy or raw["form"] != "full":
        lines += [
            "> **Indicative only:** "
            + " and ".join([f"the machine had other work (load average {machine['load_average'][0]})"] * busy
                           + ["this was the quick form"] * (raw["form"] != "full"))
            + ".",
            "",
        ]
    lines += [
        "Linear(10→20→1), no activation, float32, mean squared error, SGD. Each suite ran between two runs of the",
        "C++ line on the same machine and the same data; both agreed with float64 before any timing.",
        "",
        "![Time beside the C++ line](chart.svg)",
        "",
        "## Ratios",
        "",
        "Of the medians; in brackets the ratio of the extremes, our least to their most and our most to their least.",
        "Drift is the line's time after the suite over that before: far from 1, the machine changed meanwhile.",
        "",
        "| Ringstep | beside the C++ line | beside plain Java | drift of the line |",
        "|---|---|---|---|",
    ]
    for title, ours, best, java, moved in rows:
        lines.append(f"| {title} | {verdict(ours / best if best else None)} | {verdict(ours / java if java else None)} "
                     f"| {f'{moved:.2f}' if moved else '–'} |")
    lines += [
        "",
        "The C++ line is a limit, not a library: fixed sizes, no errors to report, and at batch 1 no loss value, which",
        "Ringstep computes and checks. Several threads are compared with the line's best for as many or fewer.",
        "",
        "## Nanoseconds for one step of batch 1, or for one sample of a larger batch",
        "",
        "Median (least – most).",
        "",
        "| | Ringstep | million samples a second | bytes allocated for one | C++ line | plain Java |",
        "|---|---|---|---|---|---|",
    ]
    for title, ours, best, java, _ in rows:
        allocated = "–" if ours.allocated is None else f"{ours.allocated:.1f}"
        lines.append(f"| {title} | {ours.text()} | {1e3 / ours.median:.3g} | {allocated} "
                     f"| {best.text() if best else '–'} | {java.text() if java else '–'} |")
    lines += [
        "",
        "## The C++ line and the machine's ceilings",
        "",
        "| | median (least – most) | unit | drift | error against float64 |",
        "|---|---|---|---|---|",
    ]
    for name, t in line.items():
        error = f"{t.error:.1e}" if t.error else "–"
        lines.append(f"| {name} | {t.text()} | {t.unit} | {drift[name]:.2f} | {error} |")
    lines += [
        "",
        "`read` streams 512 MiB, `fma` counts single multiply-adds; `-t2` is on two threads. A sample of a training",
        "step is 44 bytes and some 480 multiply-adds, of a prediction 44 bytes and 220.",
        "",
        "## Machine",
        "",
        "| | |",
        "|---|---|",
    ]
    lines += [f"| {key.replace('_', ' ')} | {value} |" for key, value in machine.items()]
    lines += ["", "## Once more", "", "`jmh/run` on a quiet machine, about five minutes: it writes this folder anew. "
              "`jmh/run --quick` tries it out.", ""]
    return "\n".join(lines)


def chart(raw):
    """Bars of the time beside the line's, which is the vertical at 1."""
    left, top, width, bar = 330, 62, 460, 13
    rows = [(title.replace("`", ""), (ours / best).median, (java / best).median if java else None)
            for title, ours, best, java, _ in compare(raw) if best]
    if not rows:
        return None
    most = max(value for _, *values in rows for value in values if value)
    scale = width / most
    body, y = [], top
    for title, ours, java in rows:
        group = [(ours, "ours")] + ([(java, "java")] if java else [])
        body.append(f'<text x="{left - 8}" y="{y + bar * len(group) / 2 + 4}" text-anchor="end">{escape(title)}</text>')
        for value, kind in group:
            body.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{value * scale:.1f}" height="{bar - 2}"/>'
                        f'<text class="small" x="{left + value * scale + 5:.1f}" y="{y + 9}">{value:.2f}×</text>')
            y += bar
        y += 9
    at_one = left + scale
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 60}" height="{y + 8}" role="img" aria-label="Time of Ringstep and plain Java beside the C++ line">
<style>
text {{ font: 12px sans-serif; fill: #24292f }} .small {{ font-size: 10px }} .title {{ font-size: 15px; font-weight: bold }}
.ours {{ fill: #0969da }} .java {{ fill: #afb8c1 }} .one {{ stroke: #cf222e; stroke-width: 1.5 }}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text class="title" x="12" y="22">Time beside hand-written C++ (shorter is faster)</text>
<rect class="ours" x="12" y="32" width="11" height="11"/><text x="28" y="42">Ringstep</text>
<rect class="java" x="96" y="32" width="11" height="11"/><text x="112" y="42">plain Java</text>
<text x="186" y="42">{escape(raw['machine']['cpu'])}, {escape(raw['date'])}{', quick form' if raw['form'] != 'full' else ''}</text>
<line class="one" x1="{at_one:.1f}" y1="{top - 6}" x2="{at_one:.1f}" y2="{y}"/><text class="small" x="{at_one + 4:.1f}" y="{top - 4}">1 = C++ line</text>
{chr(10).join(body)}
</svg>
"""


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    raw = json.loads(source.read_text())
    (source.parent / "README.md").write_text(page(raw, source.name))
    drawing = chart(raw)
    if drawing:
        (source.parent / "chart.svg").write_text(drawing)
    print(f"page: {source.parent / 'README.md'}")


if __name__ == "__main__":
    main()

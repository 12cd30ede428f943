"""The charts of the results page, as SVG."""
import math
from html import escape

STYLE = """<style>
text { font: 12px sans-serif; fill: #24292f } .small { font-size: 10px } .title { font-size: 15px; font-weight: bold }
.ours { fill: #0969da } .java { fill: #afb8c1 } .line { fill: #cf222e } .peer { fill: #8c959f }
.one { stroke: #cf222e; stroke-width: 1.5 } .grid { stroke: #d0d7de } .curve { fill: none; stroke-width: 2 }
.t1 { stroke: #0969da; fill: #0969da } .t2 { stroke: #8250df; fill: #8250df }
</style>
<rect width="100%" height="100%" fill="#ffffff"/>"""


def svg(width, height, label, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{escape(label)}">\n{STYLE}\n' + "\n".join(body) + "\n</svg>\n")


def text(x, y, content, kind="", anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def bar(x, y, width, kind):
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width:.1f}" height="11"/>'


def time(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def beside_line(rows, subtitle):
    """Bars of the time beside the line's, which is the vertical at 1. Rows of title, our ratio, plain Java's or None."""
    left, top, width, step = 330, 62, 460, 13
    scale = width / max(value for _, *values in rows for value in values if value)
    body, y = [], top
    for title, ours, java in rows:
        group = [(ours, "ours")] + ([(java, "java")] if java else [])
        body.append(text(left - 8, y + step * len(group) / 2 + 4, title, anchor="end"))
        for value, kind in group:
            body += [bar(left, y, value * scale, kind), text(left + value * scale + 5, y + 9, f"{value:.2f}×", "small")]
            y += step
        y += 9
    at_one = left + scale
    head = [text(12, 22, "Time beside hand-written C++ (shorter is faster)", "title"),
            bar(12, 32, 11, "ours"), text(28, 42, "Ringstep"), bar(96, 32, 11, "java"), text(112, 42, "plain Java"), text(186, 42, subtitle),
            f'<line class="one" x1="{at_one:.1f}" y1="{top - 6}" x2="{at_one:.1f}" y2="{y}"/>',
            text(at_one + 4, top - 4, "1 = C++ line", "small")]
    return svg(left + width + 60, y + 8, "Time of Ringstep and plain Java beside the C++ line", head + body)


def peers(groups, subtitle):
    """Bars on a logarithmic scale, a group for each piece of work: (title, [(system, ns)])."""
    left, top, width, step = 170, 62, 480, 15
    body, y = [], top
    for title, bars in groups:
        low = 10 ** math.floor(math.log10(min(ns for _, ns in bars)) - 0.3)
        span = math.log10(max(ns for _, ns in bars) / low)
        ours = next(ns for name, ns in bars if name == "Ringstep")
        body.append(text(12, y + 12, title, "title"))
        y += 20
        for name, ns in bars:
            length = width * math.log10(ns / low) / span
            kind = {"Ringstep": "ours", "C++ line": "line", "plain Java": "java"}.get(name, "peer")
            beside = "" if name == "Ringstep" else f"  ({ns / ours:,.0f}×)" if ns / ours >= 10 else f"  ({ns / ours:.2f}×)"
            body += [text(left - 8, y + 10, name, anchor="end"), bar(left, y, length, kind), text(left + length + 5, y + 10, time(ns) + beside, "small")]
            y += step
        y += 12
    head = [text(12, 22, "Time for the same work (logarithmic; shorter is faster)", "title"),
            text(12, 42, subtitle + "; in brackets beside Ringstep")]
    return svg(left + width + 110, y, "Time of each system for the same work", head + body)


def scaling(curves, subtitle):
    """A panel for each curve, both axes logarithmic: {title: {threads: [(size, cost)]}}."""
    panel, height, top, left = 400, 260, 70, 56
    body = [text(12, 22, "How cost grows", "title"), text(12, 42, subtitle),
            *[part for t in (1, 2) for part in (
                f'<rect class="t{t}" x="{480 + 110 * t}" y="14" width="11" height="11"/>', text(496 + 110 * t, 24, f"{t} thread{'s'[:t - 1]}"))]]
    for k, (title, by_threads) in enumerate(curves.items()):
        points = [point for curve in by_threads.values() for point in curve]
        if not points:
            continue
        x0 = left + k * (panel + 40)
        sizes, costs = [p[0] for p in points], [p[1] for p in points]
        low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
        first, last = math.log2(min(sizes)), math.log2(max(sizes))

        def at(size, cost):
            return (x0 + (panel - 60) * (math.log2(size) - first) / max(1, last - first),
                    top + height * (high - math.log10(cost)) / max(1, high - low))
        body.append(text(x0 - 40, top - 10, title))
        for power in range(low, high + 1):
            _, y = at(min(sizes), 10 ** power)
            body += [f'<line class="grid" x1="{x0}" y1="{y:.1f}" x2="{x0 + panel - 60}" y2="{y:.1f}"/>', text(x0 - 6, y + 4, f"{10.0 ** power:g}", "small", "end")]
        for size in sorted(set(sizes))[::max(1, len(set(sizes)) // 7)]:
            body.append(text(at(size, 10 ** low)[0], top + height + 16, f"{size:,}" if size < 10000 else f"2^{int(math.log2(size))}", "small", "middle"))
        for threads, curve in by_threads.items():
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in sorted(curve)))
            body.append(f'<polyline class="curve t{threads}" style="fill:none" points="{path}"/>')
    return svg(left + 2 * (panel + 40) - 40, top + height + 30, "Cost by size", body)

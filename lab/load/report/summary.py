"""A run on the terminal: the verdict and why, then the figures behind it, in the order in which they matter."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.load.figures.metrics import HOPS
from lab.load.figures.result import Result, Verdict
from lab.load.wording import NONE, counted, number, words
from lab.plan.mix import BUILT_IN

_COLUMNS: Final = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}
_TELLING_SHARE: Final = 0.1
"""A window ten times as long as an order takes misses a tenth of the completions at most."""

_STYLES: Final = {Verdict.PASS: "green", Verdict.INTERRUPTED: "yellow", Verdict.INVALID: "bold yellow"}


def show(result: Result, console: Console, files: Sequence[Path] = ()) -> None:
    """Print the summary of a run, and where its files are."""
    data = result.data
    console.print(headline(result), soft_wrap=True)
    for name, line in (
        ("run", of_plan(data)),
        ("again", again(data)),
        ("flows", of_flows(data)),
        ("rate", of_rate(data)),
        ("outcomes", counts(data["outcomes"])),
        ("emails", of_emails(data["emails"])),
        ("invariants", of_invariants(data)),
    ):
        _say(console, name, line)
    for fault in data["faults"]:
        _say(console, "fault", of_fault(fault))
    for threshold in data["thresholds"]:
        mark = "[green]✓[/green]" if threshold["ok"] else "[bold red]✗[/bold red]"
        value = f"it is {number(threshold['value'])} {threshold['unit']}".rstrip()
        measured = f" ({'there is no such figure' if threshold['value'] is None else value})"
        _say(console, "threshold", f"{escape(threshold['text'])}{measured} {mark}", markup=True)
    _say(console, "generator", of_generator(data["generator"]))
    console.print(_latencies(data["latency_ms"]))
    if data["resources"]:
        console.print(_resources(data["resources"]))
    for path in files:
        _say(console, "written", str(path))


def headline(result: Result) -> Text:
    """The verdict, and the sentences that say why."""
    verdict = result.verdict
    style = _STYLES.get(verdict, "bold red")
    why = " ".join(result.data["reasons"]) or praise(result.data)
    mark = "✓" if verdict is Verdict.PASS else "✗"
    return Text(f"{mark} {verdict}", style=style).append(f"  {why}", style="not bold default")


def praise(data: Mapping[str, Any]) -> str:
    """Why a run passes."""
    held = [line for line in data["thresholds"] if line["ok"]]
    kept = f", {counted(len(held), 'threshold')} kept" if held else ""
    return f"{counted(data['flows']['settled'], 'order')} settled, every invariant holds{kept}."


def of_plan(data: Mapping[str, Any]) -> str:
    """What was done: mix, rate, length, clock, and the plan's hash."""
    plan = data["plan"]
    return (
        f"{plan['mix']} at {plan['rate']:g}/s ({plan['arrivals']}) for {plan['duration_s']:g} s, the first "
        f"{plan['warmup_s']:g} s not measured; clock rate {plan['clock_rate']:,.10g}, {counted(plan['workers'], 'worker')}, seed {data['seed']}, "
        f"plan {data['plan_hash']}"
    )


def again(data: Mapping[str, Any]) -> str:
    """The command that plays the same orders again; of a mix out of a file, only its name is known."""
    plan = data["plan"]
    known = plan["mix"] in BUILT_IN
    options = {
        "rate": _exact(plan["rate"]),
        "duration": f"{_exact(plan['duration_s'])}s",
        "warmup": f"{_exact(plan['warmup_s'])}s",
        "mix": plan["mix"] if known else "FILE",
        "seed": str(data["seed"]),
        "arrivals": plan["arrivals"],
        "clock-rate": _exact(plan["clock_rate"]),
    }
    written = [f"--{name} {value}" for name, value in options.items()]
    written += [f"--fault {quote(fault)}" for fault in plan["faults"]]
    return f"countermand load {' '.join(written)}" + ("" if known else f"  (FILE: the mix {plan['mix']})")


def _exact(value: float) -> str:
    """With every digit that counts, and none for show."""
    return f"{value:.15g}"


def of_flows(data: Mapping[str, Any]) -> str:
    """How far the orders came."""
    flows = data["flows"]
    return ", ".join(
        f"{flows[name]:,} {name}" for name in ("planned", "started", "late", "shed", "completed", "settled")
    )


def of_rate(data: Mapping[str, Any]) -> str:
    """What was reached of what was asked, and what had to wait."""
    rate, backlog = data["rate"], data["backlog"]
    drained = f"drained in {number(backlog['drain_s'])} s" if backlog["drain_s"] is not None else "not drained"
    waited = f"backlog at most {number(backlog['max'])}, {number(backlog['at_end'])} after the last arrival, {drained}"
    return f"{number(rate['achieved'])} of {number(rate['target'])} flows/s{_too_short(data)}; {waited}"


def _too_short(data: Mapping[str, Any]) -> str:
    """Said where few of the orders of the window can be complete within it."""
    taken = data["latency_ms"].get("place_to_completed")
    window_s = data["blocks"][-1]["to"] - data["blocks"][0]["from"]
    if taken is None or taken["p50"] / 1e3 < window_s * _TELLING_SHARE:
        return ""
    return (
        f" (orders took {number(taken['p50'] / 1e3)} s to complete, too long for {number(window_s)} s to tell the rate)"
    )


def of_emails(emails: Mapping[str, int | None]) -> str:
    """Promised and arrived."""
    return ", ".join(f"{NONE if value is None else f'{value:,}'} {name}" for name, value in emails.items())


def of_invariants(data: Mapping[str, Any]) -> str:
    """All of them in a line, or those that do not hold, each with the first order at fault."""
    lines: Mapping[str, Any] = data["invariants"]
    if data["violations"] is None:
        return "not audited"
    broken = list(_broken(lines))
    checks = sum(line["checked"] for line in lines.values())
    pending = sum(line["pending"] for line in lines.values())
    summed = f"{checks:,} checks, {pending:,} pending"
    return "; ".join(broken) + f"; {summed}" if broken else f"all {len(lines)} hold; {summed}"


def _broken(lines: Mapping[str, Any]) -> Iterator[str]:
    for name, line in lines.items():
        if line["violated"]:
            first = next(iter(line["violations"]), None)
            what = f", first {first['order_id'] or 'no order'}: {first['what']}" if first else ""
            yield f"{name} violated {counted(line['violated'], 'time')}{what}"


def of_fault(fault: Mapping[str, Any]) -> str:
    """What it was and how long it was felt."""
    legs = ", ".join(map(words, fault["metric"].split("+")))
    late = f"{counted(fault['late_answers'], 'wait')} over {number(fault['late_ms'])} ms ({legs})"
    if fault["recovery_s"] is None:
        return f"{fault['text']}: not recovered, {late}, and some without an end"
    return f"{fault['text']}: recovered {number(fault['recovery_s'])} s after its beginning, {late}"


def of_generator(generator: Mapping[str, Any]) -> str:
    """How far the generator is to be believed."""
    lag = generator["lag_ms"]
    return (
        f"{generator['late_share']:.2%} of the starts late; lag p99 {number(lag['p99'])} ms, at most "
        f"{number(lag['max'])} ms; {generator['resent']:,} resent, {generator['lost']:,} lost, {generator['refused']:,} refused"
    )


def counts(of: Mapping[str, int]) -> str:
    """The most frequent first."""
    return ", ".join(f"{words(name)} {value:,}" for name, value in sorted(of.items(), key=lambda item: -item[1]))


def _say(console: Console, name: str, line: str, *, markup: bool = False) -> None:
    printable = "".join(c if c.isprintable() else " " for c in line)
    console.print(f"  {name:<11}{printable}", highlight=False, soft_wrap=True, markup=markup)


def _latencies(latency_ms: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    table.add_column("latency in ms, from the scheduled send")
    table.add_column("count", justify="right")
    for column in _COLUMNS.values():
        table.add_column(column, justify="right")
    for name, figures in latency_ms.items():
        indent = "  " if name in HOPS else ""
        row = (number(figures[statistic]) for statistic in _COLUMNS)
        table.add_row(indent + words(name), f"{figures['count']:,}", *row, style="dim" if name in HOPS else "")
    return table


def _resources(resources: Mapping[str, Mapping[str, float | None]]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    table.add_column("process")
    for column in ("CPU s", "CPU ms a flow", "MB at most", "MB at the end"):
        table.add_column(column, justify="right")
    for name, used in resources.items():
        table.add_row(name, *(number(figure) for figure in used.values()))
    return table

"""The command line. Exit codes: see `lab.exits`."""

import asyncio
import importlib
import os
import secrets
import signal
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from typer import TyperException

from countermand.kernel.terms import DAY_A_MINUTE
from countermand.runtime.names import Names
from countermand.runtime.settings import ConfigurationError, load_settings
from lab.arguments import HtmlPath, JsonPath
from lab.conformance.commands import conformance_app
from lab.dead.commands import dead_app
from lab.exits import CONFIGURATION, INTERRUPTED, PASS, TERMINATED
from lab.policy.commands import policy_app
from lab.spans import seconds

SERVICES: Final = ("order", "seller", "dispute", "notify", "mailbox", "web")
"""Every deployable, as `ls services` lists them."""

_NEW_SEED_MAX: Final = 10**9
"""Short enough to be typed again."""

app = typer.Typer(
    name="countermand",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(policy_app)
app.add_typer(dead_app)
app.add_typer(conformance_app)

NatsUrl = Annotated[
    str | None, typer.Option("--nats", envvar="NATS_URL", help="a running system; nothing: an embedded one")
]
MailboxUrl = Annotated[
    str | None,
    typer.Option("--mailbox", envvar="MAILBOX_URL", help="the HTTP address of its mailbox, to read the emails"),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63, help="the same seed, the same decisions")]


def main() -> None:
    """The console script: one clear line for every mistake, and no traceback."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        _say(error.format_message())
        sys.exit(CONFIGURATION)
    except ConfigurationError as error:
        _say(str(error))
        sys.exit(CONFIGURATION)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else PASS)


@app.callback(invoke_without_command=True)
def help_if_nothing_is_asked(context: typer.Context) -> None:
    """The cancellation of marketplace orders as event-driven microservices over NATS."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(seed: Seed = 7, json: JsonPath = None) -> int:
    """Start everything here, play the guide's stories live, and say what became of every order and which emails came."""
    from lab.demo import play_embedded  # noqa: PLC0415  # A command loads what it needs, so that each starts quickly.

    return _run(play_embedded([], seed, json))


@app.command()
def up(
    data: Annotated[Path | None, typer.Option("--data", help="keep the broker's store and the logs here")] = None,
    clock_rate: Annotated[
        float,
        typer.Option(
            "--clock-rate",
            min=0.001,
            help="simulated seconds a real one, of orders placed on the page; 1440: a day a minute",
        ),
    ] = DAY_A_MINUTE,
) -> int:
    """Run everything until Ctrl-C."""
    from lab.up import run_until_stopped  # noqa: PLC0415

    return _run(run_until_stopped(data, clock_rate))


@app.command()
def story(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="which; all if none is named")] = None,
    *,
    list_: Annotated[bool, typer.Option("--list", help="only list them, with the rules they play")] = False,
    nats: NatsUrl = None,
    mailbox: MailboxUrl = None,
    seed: Seed = 7,
    json: JsonPath = None,
) -> int:
    """Play stories on a running system, or on an embedded one."""
    from lab import demo  # noqa: PLC0415

    if list_:
        demo.list_stories(Console())
        return PASS
    if nats is None:
        return _run(demo.play_embedded(names or [], seed, json))
    return _run(demo.play_on(nats, mailbox, names or [], seed, json))


@app.command()
def service(name: Annotated[str, typer.Argument(help=", ".join(SERVICES))]) -> int:
    """Run one service in this process, configured by its environment."""
    if name not in SERVICES:
        msg = f"there is no service {name!r}; there are {', '.join(SERVICES)}"
        raise ConfigurationError(msg)
    importlib.import_module(f"services.{name}.app").main()
    return PASS


@app.command()
def provision(nats: NatsUrl = None) -> int:
    """Create or update the streams and consumers of a running NATS, and nothing else."""
    from lab.system import provisioned  # noqa: PLC0415

    _run(provisioned(_named(nats), load_settings()))
    Console().print("streams and consumers are in place")
    return PASS


@app.command()
def users(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="gets DIR/<user>/password and DIR/nats/generated.conf")],
    routes: Annotated[
        str, typer.Option("--routes", envvar="NATS_ROUTES", metavar="HOST,…", help="the nodes of a cluster")
    ] = "",
    tls: Annotated[
        str, typer.Option("--tls", envvar="NATS_TLS", metavar="DIR", help="where the server finds its certificate")
    ] = "",
) -> int:
    """Write the passwords that are missing, and for nats-server who may do what, with hashes of them."""
    from lab.access import files  # noqa: PLC0415
    from lab.access.users import users as all_users  # noqa: PLC0415

    server = files.Server(tuple(filter(None, routes.split(","))), tls)
    known = all_users(Names(load_settings().subject_prefix))
    new = files.write(folder, known, server)
    typer.echo(f"{len(known)} users in {folder}, new: {', '.join(new) or 'none'}")
    return PASS


@app.command()
def why(order_id: Annotated[str, typer.Argument(metavar="ORDER_ID")], nats: NatsUrl = None) -> int:
    """Tell the causal timeline of one order in words, across all services."""
    from lab.market import marketplace  # noqa: PLC0415
    from lab.why import feedback, show, timeline  # noqa: PLC0415

    async def tell() -> int:
        async with marketplace(_named(nats)) as market:
            console = Console(width=None if sys.stdout.isatty() else 200)
            show(await timeline(market, order_id), order_id, console)
            console.print(await feedback(market, order_id), markup=False)
        return PASS

    return _run(tell())


@app.command()
def status(json: JsonPath = None, *, nats: NatsUrl = None) -> int:
    """Tell how a running system does: services, streams, open orders by what they wait for, and what wants attention."""
    from lab.status import command  # noqa: PLC0415

    return _run(command.status(_named(nats), json))


@app.command()
def stuck(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="SPAN", help="how late something must be to count")
    ] = "5m",
    json: JsonPath = None,
    *,
    nats: NatsUrl = None,
) -> int:
    """List the orders that wait for longer than they should, each with the safe next step."""
    from lab.status import command  # noqa: PLC0415

    return _run(command.stuck(_named(nats), seconds(older_than), json))


@app.command()
def backup(folder: Annotated[Path, typer.Argument(metavar="DIR", help="new or empty")], nats: NatsUrl = None) -> int:
    """Save all streams of a running NATS, with what each service has heard, while the services are stopped."""
    from lab.backup import command  # noqa: PLC0415

    return _run(command.backup(_named(nats), folder))


@app.command()
def restore(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a backup")], nats: NatsUrl = None) -> int:
    """Make all streams of a backup again, on a NATS server that has none of them."""
    from lab.backup import command  # noqa: PLC0415

    return _run(command.restore(_named(nats), folder))


@app.command()
def audit(
    *,
    nats: NatsUrl = None,
    run: Annotated[str | None, typer.Option("--run", help="only the orders of that run")] = None,
    since: Annotated[str | None, typer.Option("--since", help="only orders placed since, as 2026-01-31T12:00Z")] = None,
    orders: Annotated[str, typer.Option("--orders", metavar="ID,…", help="only these orders")] = "",
    grace: Annotated[str, typer.Option("--grace", help="what is younger may still be on its way")] = "10s",
    drained: Annotated[
        bool, typer.Option("--drained", help="nothing is on its way any more, so nothing may be")
    ] = False,
    mailbox: MailboxUrl = None,
    json: JsonPath = None,
) -> int:
    """Check every invariant on every order that the streams hold."""
    from lab.audit import command  # noqa: PLC0415

    options = command.Options(
        run=run,
        since=command.moment(since) if since else None,
        orders=command.order_ids(orders),
        grace_s=seconds(grace),
        drained=drained,
        mailbox_url=mailbox,
    )
    return _run(command.run(_named(nats), options, json))


_OF_A_RUN: Final = ("orders", "seed", "mix", "faults", "replicas", "order", "strikes")


@app.command()
def simulate(
    context: typer.Context,
    *,
    orders: Annotated[int, typer.Option("--orders", min=1, max=100_000_000, help="how many")] = 1_000,
    seed: Seed = 7,
    mix: Annotated[str, typer.Option("--mix", metavar="NAME|FILE", help="who buys what from whom")] = "everyday",
    faults: Annotated[str, typer.Option("--faults", metavar="none|all|FILE", help="what may go wrong")] = "none",
    replicas: Annotated[int | None, typer.Option("--replicas", min=1, max=9, help="of each service")] = None,
    order: Annotated[
        int | None, typer.Option("--order", min=0, metavar="N", help="only this one, with its story")
    ] = None,
    strikes: Annotated[str | None, typer.Option("--strikes", metavar="N,…", help="only these of its faults")] = None,
    replay: Annotated[Path | None, typer.Option("--replay", help="an earlier run's JSON, to play again")] = None,
    policy: Annotated[list[Path] | None, typer.Option("--policy", help="compare with this policy")] = None,
    json: JsonPath = None,
) -> int:
    """Run the same services in virtual time, from one seed, with faults; every order is audited."""
    from lab.simulate import command  # noqa: PLC0415
    from lab.simulate.options import Options  # noqa: PLC0415

    if strikes is not None and (order is None or faults == "none"):
        msg = "--strikes belongs to one order and its faults: name --order and --faults"
        raise ConfigurationError(msg)
    if order is not None and (json or len(policy or ()) > 1):
        msg = "--order tells one order's story, under one policy at most, and writes no --json"
        raise ConfigurationError(msg)
    if replay:
        _leave_out(context, _OF_A_RUN, "--replay plays what its file says")
        options = command.replayed(replay, policy or [])
    else:
        options = Options(
            orders=orders,
            seed=seed,
            mix=mix,
            faults=faults,
            # Where nothing goes wrong, a second replica shows nothing.
            replicas=replicas or (1 if faults == "none" else 2),
            order=order,
            strikes=command.numbers(strikes) if strikes is not None else None,
            policies=tuple(policy or ()),
        )
    return command.run(options, json)


_OF_A_WORKER: Final = frozenset({"join", "workers", "nats"})


@app.command()
def load(
    context: typer.Context,
    *,
    rate: Annotated[float | None, typer.Option("--rate", metavar="R", help="orders a second")] = None,
    duration: Annotated[str | None, typer.Option("--duration", metavar="SPAN", help="of the arrivals, as 30s")] = None,
    mix: Annotated[str, typer.Option("--mix", metavar="NAME|FILE", help="who buys what from whom")] = "everyday",
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, max=2**63, help="the same seed, the same orders; nothing: 7, or a new one with --nats"
        ),
    ] = None,
    arrivals: Annotated[
        str, typer.Option("--arrivals", metavar="constant|poisson|ramp|burst", help="how they are spread")
    ] = "poisson",
    warmup: Annotated[str, typer.Option("--warmup", metavar="SPAN", help="left out of the latencies")] = "2s",
    clock_rate: Annotated[
        float, typer.Option("--clock-rate", help="simulated seconds a real second; 86400 are a day")
    ] = 86_400.0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="processes here that make the load")] = 1,
    remote_workers: Annotated[int, typer.Option("--remote-workers", min=0, max=64, help="those that will join")] = 0,
    join: Annotated[str | None, typer.Option("--join", metavar="RUN", help="be workers of a run elsewhere")] = None,
    max_in_flight: Annotated[
        int,
        typer.Option("--max-in-flight", min=1, help="open orders of a worker, 2 kB each; what arrives beyond is shed"),
    ] = 1_000_000,
    drain: Annotated[str, typer.Option("--drain", metavar="SPAN", help="for the last orders to end")] = "5m",
    threshold: Annotated[
        list[str] | None, typer.Option("--threshold", help="what the result must be, as request_to_email.p99<250ms")
    ] = None,
    abort_on: Annotated[list[str] | None, typer.Option("--abort-on", help="what ends the run at once")] = None,
    find_max: Annotated[bool, typer.Option("--find-max", help="search the highest rate that holds")] = False,
    objective: Annotated[list[str] | None, typer.Option("--objective", help="what must hold for --find-max")] = None,
    fault: Annotated[list[str] | None, typer.Option("--fault", help="as kill:order@20s or smtp:451@10s+20s")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="keep the run here")] = None,
    json: JsonPath = None,
    html: HtmlPath = None,
    nats: NatsUrl = None,
    mailbox: MailboxUrl = None,
) -> int:
    """Play many orders on the real system, whatever it makes of them, and say how fast it was and whether all came out right."""
    from lab.load import capacity, command  # noqa: PLC0415
    from lab.load.reporting import Copies  # noqa: PLC0415

    if join is not None:
        _leave_out(
            context, [name for name in context.params if name not in _OF_A_WORKER], "--join plays what the run says"
        )
        return _run(command.join(_named(nats), join, workers))
    if rate is None or duration is None:
        msg = "how many, and how long? name --rate and --duration, as in --rate 100 --duration 30s"
        raise ConfigurationError(msg)
    if find_max != bool(objective):
        msg = "--find-max and --objective go together, as in --find-max --objective 'request_to_email.p99<250ms'"
        raise ConfigurationError(msg)
    if find_max and (threshold or html):
        msg = "--find-max knows objectives instead of --threshold, and writes no --html of its own"
        raise ConfigurationError(msg)
    wish = command.Wish(
        rate=rate,
        duration_s=seconds(duration),
        mix=mix,
        # A running system has had the orders of an earlier run's seed.
        seed=seed if seed is not None else (7 if nats is None else secrets.randbelow(_NEW_SEED_MAX)),
        arrivals=arrivals,
        warmup_s=seconds(warmup),
        clock_rate=clock_rate,
        in_flight_max=max_in_flight,
        workers=workers,
        remote_workers=remote_workers,
        drain_s=seconds(drain),
        thresholds=tuple(threshold or ()),
        abort_on=tuple(abort_on or ()),
        faults=tuple(fault or ()),
        folder=out,
    )
    options = command.options_of(wish, embedded_system=nats is None)
    if find_max:
        return _run(capacity.find_max(options, tuple(objective or ()), nats, mailbox, json))
    return _run(command.run(options, nats, mailbox, Copies(json, html)))


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="its name, or where it is kept")],
    json: JsonPath = None,
    html: HtmlPath = None,
) -> int:
    """Make the reports of a load run again, from its raw log."""
    from lab.console import console_of  # noqa: PLC0415
    from lab.load.reporting import Copies, again  # noqa: PLC0415

    return again(run, Copies(json, html), console_of())


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="the result, or the folder, of a run")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="of the run that may be worse")],
    margin: Annotated[str, typer.Option("--margin", help="how much worse is still the same")] = "5%",
    json: JsonPath = None,
) -> int:
    """Put two load runs side by side; exit code 1 if the second is worse beyond the margin."""
    from lab.console import console_of  # noqa: PLC0415
    from lab.load.report import compare  # noqa: PLC0415

    return compare.compare(a, b, margin=_share(margin), console=console_of(), json=json)


def _share(text: str) -> float:
    """`5%` or `0.05`."""
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) * (0.01 if percent else 1.0)
    except ValueError:
        share = -1.0
    if rest or not 0 <= share < 10:  # noqa: PLR2004  # Ten times worse is no margin.
        msg = f"--margin: {text!r} is no share such as 5%"
        raise ConfigurationError(msg)
    return share


def _leave_out(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that would not be heard."""
    if said := [name.replace("_", "-") for name in names if _is_given(context, name)]:
        msg = f"{why}: leave out --{', --'.join(said)}"
        raise ConfigurationError(msg)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _named(nats: str | None) -> str:
    if nats is None:
        msg = "name a running NATS server with --nats or NATS_URL"
        raise ConfigurationError(msg)
    return nats


def _run(work: Coroutine[Any, Any, Any]) -> int:
    """Work until it is done, or until SIGTERM; then everything that was started ends as well."""

    async def until_told_to_stop() -> Any:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        result = asyncio.run(until_told_to_stop())
    except asyncio.CancelledError:
        return TERMINATED
    return result if isinstance(result, int) else PASS


def _say(message: str) -> None:
    sys.stderr.write(f"countermand: {' '.join(message.split()) if os.linesep not in message else message}\n")


if __name__ == "__main__":
    main()

"""The commands on the online endpoint. Words and options only; what they do is in `endpoints`, imported when they run."""

import click


@click.group()
def endpoints() -> None:
    """The online endpoint: POST /score on 127.0.0.1, kept by a supervisor.

    The key is in endpoints/key, or GLOBOLATTE_ENDPOINT_KEY.
    """


@endpoints.command("serve")
def endpoints_serve() -> None:
    """Keep the endpoint running in the foreground, until Ctrl-C."""
    from globolatte_cli.endpoints import serve

    serve()


@endpoints.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def endpoints_list(*, as_json: bool) -> None:
    """Show what runs: deployments, models, traffic, health."""
    from globolatte_cli.endpoints import list_deployments

    list_deployments(as_json=as_json)


@endpoints.command("deploy")
def endpoints_deploy() -> None:
    """Put the champion behind the endpoint, blue/green: the job `deploy`."""
    from globolatte_cli.endpoints import deploy_champion

    deploy_champion()


@endpoints.command("start")
def endpoints_start() -> None:
    """Start the endpoint in the background and wait until it answers."""
    from globolatte_cli.endpoints import start

    start()


@endpoints.command("stop")
def endpoints_stop() -> None:
    """End the endpoint with all of its processes."""
    from globolatte_cli.endpoints import stop

    stop()


@endpoints.command("logs")
@click.argument("name", default="supervisor")
@click.option("--lines", default=40, show_default=True, type=click.IntRange(min=1), help="How many lines.")
@click.option("--follow", is_flag=True, help="Go on printing what is added.")
def endpoints_logs(name: str, lines: int, *, follow: bool) -> None:
    """Print what supervisor, gateway or a deployment (blue, green) said last."""
    from globolatte_cli.endpoints import logs

    logs(name, lines, follow=follow)

"""`certpipe webhooks`: endpoints, what was delivered to them, and a trial of a receiver that is being developed."""

import typer

from certpipe.cli.webhooks import change, endpoints, log, replay, secrets, trial

app = typer.Typer(no_args_is_help=True, help="Webhook endpoints, their deliveries, and a trial of a receiver.")

app.command("add")(endpoints.add)
app.command("list")(endpoints.list_endpoints)
app.command("show")(endpoints.show)
app.command("change")(change.change)
app.command("enable")(change.enable)
app.command("disable")(change.disable)
app.command("remove")(change.remove)
app.command("rotate")(secrets.rotate)
app.command("revoke")(secrets.revoke)
app.command("ping")(log.ping)
app.command("deliveries")(log.deliveries)
app.command("replay")(replay.replay)
app.command("test")(trial.trial)

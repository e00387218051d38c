"""``automl plugin``."""
import typer
app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def plugin() -> None:
    """Write a plugin of your own, check it, and see which are loaded."""


@app.command(name="list")
def list_plugins() -> None:
    """List."""

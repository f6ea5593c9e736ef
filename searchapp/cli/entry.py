"""Where the command begins: being told to stop is listened for before anything else is imported."""

from searchapp.cli.stop import stop


def main() -> None:
    """Run the command line; being told to stop is the same as Ctrl-C, so that nothing is left behind."""
    stop.listen()
    try:
        from searchapp.cli.main import run  # takes a tenth of a second, in which a person may change their mind

        run()
    finally:
        stop.unlisten()

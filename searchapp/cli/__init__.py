"""The command line: parse, call, print. typer and rich live here only."""

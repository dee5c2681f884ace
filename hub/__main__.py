"""`python -m hub` is `hub`."""

from hub.cli import app

app(prog_name="hub")

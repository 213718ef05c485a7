"""`python -m polyceph.cli` is the command `polyceph`."""

from polyceph.cli.main import main

main()

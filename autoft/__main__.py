"""`python -m autoft` is the command `autoft`."""

from autoft.cli import main

main()

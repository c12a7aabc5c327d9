"""`python -m crmmail` is `crmmail`."""

from crmmail.cli.main import main

main()

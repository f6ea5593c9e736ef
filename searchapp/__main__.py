"""`python -m searchapp` is `searchapp`."""

from searchapp.cli.entry import main

main()

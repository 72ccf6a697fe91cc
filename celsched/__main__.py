"""Lets `python -m celsched` be the command line. It holds nothing of its own."""

import sys

from celsched.cli.app import main

sys.exit(main())

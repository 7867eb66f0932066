"""`python -m hepar.client`, installed as `hepar`."""

import sys

from hepar.client.command_line import main

if __name__ == "__main__":
    sys.exit(main())

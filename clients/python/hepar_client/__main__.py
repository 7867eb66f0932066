"""`python -m hepar_client`, installed as `hepar`."""

import sys

from hepar_client.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

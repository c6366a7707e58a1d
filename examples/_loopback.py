"""The mock server for the examples, wherever they are started: ``from _loopback import MockServer, Reply``.

``python examples/some_example.py`` puts examples/ on the path, wherever it is run. The server is one of the tests'
fixtures, and those are found from the root of the project.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fixtures.mock_server import MockServer, Received, Reply

__all__ = ["MockServer", "Received", "Reply"]

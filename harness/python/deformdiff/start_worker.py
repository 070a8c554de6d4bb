"""Starts the worker that `deformdiff` talks to; not for use by hand (harness/python/README.md).

The interpreter may be that of another environment: this package is loaded from the folder in which this file lies,
and nothing else of that folder or of what lies beside it can be imported from there.
"""

import importlib.util
import os
import sys


def load_package():
    folder = os.path.dirname(os.path.abspath(__file__))
    # Python puts the folder of the script first.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != folder]
    spec = importlib.util.spec_from_file_location(
        "deformdiff", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["deformdiff"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package()
    from deformdiff.worker.service import main

    main(sys.argv[1:])

"""Ready adapters, for packages that are installed: `deformdiff fuzz --subject python:deformdiff.adapters.NAME`."""

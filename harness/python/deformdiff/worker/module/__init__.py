"""Exported modules that this package runs: torch.export packages and ONNX models (harness/core/WIRE.md, `describe`)."""

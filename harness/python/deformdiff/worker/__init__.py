"""The worker: a process in which implementations run, for `deformdiff` (harness/core/WIRE.md is what it speaks)."""

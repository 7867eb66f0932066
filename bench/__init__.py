"""Benchmarks of the stack: `make bench` compares every figure with ONNX Runtime alone on the same model files."""

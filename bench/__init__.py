"""What the house costs beside its models: `make bench`, each figure beside ONNX Runtime alone on the same files."""

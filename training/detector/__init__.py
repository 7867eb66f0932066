"""Detectors: Faster R-CNN by torchvision and YOLO by ultralytics, trained without any download."""

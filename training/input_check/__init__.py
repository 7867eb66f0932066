"""The input check: decides whether an image is an abdominal CT, by its distance from the training images."""

"""Is it an abdominal CT at all? How far an image is from what the networks were trained on."""

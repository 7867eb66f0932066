"""Pictures for people: contact sheets of synthesised lesions and augmentations, and the shipped samples."""

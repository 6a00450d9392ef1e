"""`sbtools mask`."""

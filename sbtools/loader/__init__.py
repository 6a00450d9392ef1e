"""Clips as batches of frames, masks and labels."""

"""Frames that tell the class by themselves: scores of single frames, and a bank of chosen ones."""

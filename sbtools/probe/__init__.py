"""What a linear probe reads from features."""

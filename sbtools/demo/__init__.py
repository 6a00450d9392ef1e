"""Generated clips whose answer is known."""

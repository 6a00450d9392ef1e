"""Clips with their people before other backgrounds, and noise that moves as a clip does."""

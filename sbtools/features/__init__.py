"""Features of clips, by any model, in stores."""

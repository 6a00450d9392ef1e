"""What features tell: a linear probe, how alike two sets are, what is static in them."""

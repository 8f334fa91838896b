"""Keeps the rows of mail equal to what the mail servers hold, in both directions."""

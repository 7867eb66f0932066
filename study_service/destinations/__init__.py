"""Where results are sent: archives and record systems of the hospital."""

"""What is concluded from a search: which configurations are compared again, and which of them is chosen."""

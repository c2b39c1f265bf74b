"""What people ask for by hand."""

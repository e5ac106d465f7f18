"""What is measured, a local model or a remote API, behind one small protocol."""

"""A request, its canonical JSON, its keys and the normalizers that apply to it."""

"""Programs that measure minicnn against PyTorch, after checking that both compute the same."""

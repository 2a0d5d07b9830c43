"""Programs that measure minicnn against PyTorch. Each checks that both compute the same before it times them."""

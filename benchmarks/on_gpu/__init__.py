"""Programs that measure on a GPU; ``python -m benchmarks.on_gpu`` runs all of them."""

"""Front ends: text in, a `Design` out."""

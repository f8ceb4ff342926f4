"""From photographs to what fusion needs: where the camera was, and how far away what it saw is."""

"""From buffers and measurements to normal equations."""

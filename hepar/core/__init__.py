"""What every layer uses: errors, deadlines, the request context, settings, logs, metrics, tracing."""

"""Turn a flow graph into an Amazon States Language machine and operate it."""

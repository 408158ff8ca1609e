"""What a flow file imports."""

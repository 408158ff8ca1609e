"""Runs elsewhere: compute on AWS Batch, production on AWS Step Functions, the code package that both unpack."""

"""Stages that run on other machines: the agent, the coordinator, transfers, deployments.

Nothing here computes; an agent runs a step.
"""

"""Names that flows written for Metaflow may import and that stepwell does not have: what to do instead of each."""

from __future__ import annotations

_IMAGE = "give the steps an image with what they need, or run in an environment that has it"
_OBJECTS = "assign what you load to self, or use boto3 in the step"
_PARSER = "give Config a function of your own as parser=: it gets the file's text"

INSTEAD = {
    "card": "keep what you would show as artifacts, and look at them in a notebook",
    "conda": _IMAGE,
    "conda_base": _IMAGE,
    "pypi": _IMAGE,
    "pypi_base": _IMAGE,
    "kubernetes": "run steps on AWS Batch with @batch, or start them from a scheduler of your own with init and step",
    "S3": _OBJECTS,
    "NBRunner": "write the flow into a file and use Runner",
    "NBDeployer": "write the flow into a file and use Deployer",
    "parallel_map": "use a foreach, or multiprocessing within the step",
    "parallel_imap_unordered": "use a foreach, or multiprocessing within the step",
    "pytorch_parallel": "start torch's processes from a step with @parallel: current.parallel says who they are",
    "profile": "measure in the step, or see how long it took with stepwell show",
    "namespaced_event_name": "give @trigger the whole name of the event",
    "inspect_spin": "run the flow: a task begins in milliseconds, and resume STEP runs one step again",
    "yaml_parser": "give Config a parser=, as in parser=yaml.safe_load",
    "requirements_txt_parser": _PARSER,
    "pyproject_toml_parser": _PARSER,
    "conda_environment_yml_parser": _PARSER,
    "metaflow_version": "the version is stepwell.__version__",
}


def refusal(name: str) -> str:
    """One sentence that says that a name is absent, and what to do instead."""
    return f"stepwell does not have '{name}': {INSTEAD[name]} (see Migrating from Metaflow in its documentation)"

"""What can go wrong in stepwell, as one tree.

StepwellError
├── FlowError                 the flow file or its graph is wrong
│   ├── FlowFileError         the file is missing, is no flow, or fails on import
│   └── InvalidNext           `self.next` was called with something that is no transition
├── ParameterError            a parameter's declaration or value
├── ConfigError               a config's declaration or value, or an expression of configs
├── DecoratorError            a decorator's name or attribute
├── ArtifactError
│   ├── UnsavableArtifact     a value that no serializer accepts
│   ├── MergeConflict         `merge_artifacts` met different values of one name
│   └── MissingInMerge        `merge_artifacts` was asked for a name that no input has
├── TimeoutException          a step took longer than its `@timeout`
├── RecordError               a record is damaged, or from a later version
├── SecretsError              a secret that a step needs cannot be had
├── SettingsError             a setting is missing or wrong
├── NotAuthorized             a deployment of somebody else
├── RunFailed                 a run ended without success
├── RunnerError               a `Runner` could not start a run, or lost it
├── DeployError               a `Deployer` could not deploy a flow, or operate it
├── NotBuiltYet               a capability that this version does not have
└── ClientError
    ├── NotFound              no such flow, run, step, task or artifact
    ├── NamespaceMismatch     it exists, but outside the current namespace
    ├── InvalidPathspec       the text is no path of an execution
    ├── InvalidTag            the text is no tag, or there are too many
    └── ForeignRun            another tool ran it, and only that can read its data
"""

from __future__ import annotations


class StepwellError(Exception):
    """Base of all errors that stepwell raises; the message says what, where and what to do next.

    `headline` is the one line a person reads first, `exit_code` what a command ends with.
    """

    exit_code = 1
    retryable = False

    @property
    def headline(self) -> str:
        """The first line of the message."""
        return str(self).partition("\n")[0]


class FlowError(StepwellError):
    """The flow file or its graph is wrong."""


class FlowFileError(FlowError):
    """The file is missing, is no flow, or fails on import."""


class InvalidNext(FlowError):
    """`self.next` was called with something that is no transition."""


class ParameterError(StepwellError):
    """A parameter's declaration or its value is wrong."""

    exit_code = 2


class ConfigError(StepwellError):
    """A config's declaration or its value is wrong, or an expression of configs has no value."""

    exit_code = 2


class DecoratorError(StepwellError):
    """A decorator is unknown or has an unknown or ill-typed attribute."""


class ArtifactError(StepwellError):
    """An artifact cannot be saved, loaded or merged."""


class UnsavableArtifact(ArtifactError):
    """A value that no serializer accepts was assigned to `self`."""


class MergeConflict(ArtifactError):
    """Inputs of a join hold different values of one name.

    `artifact_names` lists the names.
    """

    def __init__(self, message: str, artifact_names: tuple[str, ...]) -> None:
        super().__init__(message)
        self.artifact_names = artifact_names


class MissingInMerge(ArtifactError):
    """`merge_artifacts(include=...)` names something that no input has.

    `artifact_names` lists the names.
    """

    def __init__(self, message: str, artifact_names: tuple[str, ...]) -> None:
        super().__init__(message)
        self.artifact_names = artifact_names


class TimeoutException(StepwellError):
    """A step took longer than its `@timeout`; raised in the step, wherever it is then."""


class RecordError(StepwellError):
    """A record in the datastore is damaged, or was written by a later version of stepwell."""


class SecretsError(StepwellError):
    """A secret that a step needs cannot be had; the message never tells a value."""


class SettingsError(StepwellError):
    """A setting is missing or wrong."""


class NotAuthorized(StepwellError):
    """Somebody else has deployed what was to be changed, and their production token was not given."""


class RunFailed(StepwellError):
    """A run ended without success; the message names the step that failed."""

    def add_hint(self, hint: str) -> None:
        """Add a line that says what to do next."""
        self.args = (f"{self.args[0]}\n{hint}", *self.args[1:])


class RunInterrupted(RunFailed):
    """A signal ended a run; a command then exits as programs do that the signal ends."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class RunnerError(StepwellError):
    """A `Runner` could not start a run, or cannot tell which it is."""


class DeployError(StepwellError):
    """A `Deployer` could not deploy a flow, or operate what is deployed; the message is what the command said."""


class NotBuiltYet(StepwellError):
    """This version of stepwell does not have the capability yet."""


class ClientError(StepwellError):
    """The Client API was asked for something that it cannot give."""


class NotFound(ClientError, KeyError):
    """No such flow, run, step, task or artifact."""

    def __str__(self) -> str:
        return str(self.args[0])


class NamespaceMismatch(ClientError):
    """The object exists, but outside the current namespace."""


class InvalidPathspec(ClientError):
    """The text is no path of an execution."""


class InvalidTag(ClientError):
    """The text can be no tag, or the run would have too many."""


class ForeignRun(ClientError):
    """The run was made by another tool that shares the metadata service: it is listed, its data cannot be read."""

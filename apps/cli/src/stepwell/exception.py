"""Our errors under the names that scripts written for Metaflow's API import and catch."""

from __future__ import annotations

from stepwell.api.caught import CaughtException
from stepwell.errors import (
    ArtifactError,
    DecoratorError,
    InvalidNext,
    InvalidPathspec,
    InvalidTag,
    MergeConflict,
    MissingInMerge,
    NamespaceMismatch,
    NotFound,
    ParameterError,
    SettingsError,
    StepwellError,
    TimeoutException,
    UnsavableArtifact,
)

MetaflowException = StepwellError
MetaflowInternalError = StepwellError
CommandException = StepwellError
MetaflowExceptionWrapper = CaughtException
MetaflowNotFound = NotFound
MetaflowNamespaceMismatch = NamespaceMismatch
MetaflowInvalidPathspec = InvalidPathspec
MetaflowTaggingError = InvalidTag
MetaflowUnknownUser = SettingsError
MetaflowDataMissing = ArtifactError
InvalidNextException = InvalidNext
InvalidDecoratorAttribute = DecoratorError
DuplicateStepDecoratorException = DecoratorError
UnknownStepDecoratorException = DecoratorError
ParameterFieldFailed = ParameterError
ParameterFieldTypeMismatch = ParameterError
UnhandledInMergeArtifactsException = MergeConflict
MissingInMergeArtifactsException = MissingInMerge
UnpicklableArtifactException = UnsavableArtifact

__all__ = [
    "CommandException",
    "DuplicateStepDecoratorException",
    "InvalidDecoratorAttribute",
    "InvalidNextException",
    "MetaflowDataMissing",
    "MetaflowException",
    "MetaflowExceptionWrapper",
    "MetaflowInternalError",
    "MetaflowInvalidPathspec",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "MetaflowTaggingError",
    "MetaflowUnknownUser",
    "MissingInMergeArtifactsException",
    "ParameterFieldFailed",
    "ParameterFieldTypeMismatch",
    "TimeoutException",
    "UnhandledInMergeArtifactsException",
    "UnknownStepDecoratorException",
    "UnpicklableArtifactException",
]

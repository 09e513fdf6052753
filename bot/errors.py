"""What can go wrong, each error a sentence that a person can act on."""


class SupportbotError(Exception):
    """Something went wrong that a person can mend; the message says what and how."""

    exit_code = 1


class SettingsError(SupportbotError):
    """The settings are wrong; the message lists every problem, its key and its fix."""

    exit_code = 2


class DatabaseError(SupportbotError):
    """The database cannot be reached, is too old or lacks what is needed."""


class EncoderError(SupportbotError):
    """The encoder's files are missing, damaged or not a sentence encoder."""


class CatalogError(SupportbotError):
    """The catalog of intents is wrong; the message lists every problem with its line."""

    exit_code = 2


class TrainingError(SupportbotError):
    """A classifier cannot be trained, or a trained one cannot be used."""


class VersionError(SupportbotError):
    """A classifier version cannot be made live."""


class CommandError(SupportbotError):
    """A command is unknown, or what stands behind it is; the message is Markdown."""


class RatingError(SupportbotError):
    """A rating cannot be stored."""


class AnswerError(SupportbotError):
    """An answer cannot be approved, changed, renewed or withdrawn."""


class ClickError(SupportbotError):
    """What a person clicked on is gone, or not theirs to click on."""


class ReviewError(SupportbotError):
    """What somebody decided about a question cannot be stored."""


class SourceError(SupportbotError):
    """A source of documents cannot be listed or read."""


class SourceBusyError(SourceError):
    """A source is being reindexed by another process."""


class JobError(SupportbotError):
    """A background job is unknown or ended without success."""


class DocumentRejectedError(SupportbotError):
    """One document cannot be indexed; the message is the reason a person reads."""


class LanguageModelError(SupportbotError):
    """The language model of the settings cannot be opened: its package or its key is missing."""


class DeliveryError(SupportbotError):
    """An answer cannot be delivered."""


class RefusedError(DeliveryError):
    """A platform will not take the message, now or later; `reason` is the platform's word."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class AwayError(DeliveryError):
    """A platform cannot be reached, or did not say whether it took the message."""

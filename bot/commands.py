"""Admin commands, alike on every platform: who may, what happens, and the audit of every call."""

from collections.abc import Collection
from difflib import get_close_matches

from bot import answer_lists, forgetting, overviews, reviewing, versions
from bot.calling import Administration, Caller, Command, Done, Request
from bot.errors import CommandError, SupportbotError
from bot.intents.registry import POLL_SECONDS
from bot.messages import Person
from bot.overviews import literal
from bot.storage import audit, conversations, jobs
from bot.storage.conversations import Place

MODES = {
    "mention": "I answer where I am mentioned, and go on in threads that I take part in",
    "questions": "I also answer messages that look like questions to me",
    "all": "I answer every message that is not plainly meant for somebody else",
}
MAX_ARGUMENTS = 1000
FORCE = "--force"


async def call(administration: Administration, caller: Caller, words: str) -> Done:
    """The answer to a command line such as "reindex wiki"; it is audited before anything is done.

    Raises:
        DBAPIError, OSError: the database is away; where it was so from the start, nothing is done.
    """
    name, _, rest = _clean(words).partition(" ")
    name, rest = name.lower().lstrip("/") or "help", rest.strip()
    command = COMMANDS.get(name)
    is_open = command is not None and command.is_for_everyone
    if not await admit(administration, caller, name, rest, is_open=is_open):
        return Done("Only admins may do that.", is_allowed=False)
    try:
        if command is None:
            raise CommandError(
                f"There is no command “{literal(name)}”.{_nearest(name, COMMANDS)} Try `help`."
            )
        if rest and " " not in command.usage:
            raise CommandError(f"`{name}` takes nothing behind it.")
        return await command.run(Request(caller, administration, rest))
    except SupportbotError as error:
        return Done(str(error))


async def admit(
    administration: Administration, caller: Caller, name: str, arguments: str, *, is_open: bool
) -> bool:
    """Note a call or a click in the audit, before anything is done; whether the caller may."""
    is_allowed = caller.is_admin or is_open
    await audit.note(
        administration.engine,
        audit.Call(
            caller.platform, caller.workspace, caller.person, caller.channel, name, arguments,
            is_allowed,
        ),
    )  # fmt: skip
    return is_allowed


async def reindex(request: Request) -> Done:
    """Have one source, or all, brought up to date."""
    names, wanted = request.administration.sources, request.arguments
    if wanted and wanted not in names:
        known = f" There are: {_listed(names)}." if names else ""
        raise CommandError(
            f"There is no source “{literal(wanted)}”.{_nearest(wanted, names)}{known}"
        )
    if not names:
        raise CommandError("No source is set up. The operator names them in `supportbot.toml`.")
    chosen = [wanted] if wanted else list(names)
    asked = [await _ask_for(request, "reindex", name) for name in chosen]
    return await _with_worker(request, asked)


async def retrain(request: Request) -> Done:
    """Have the classifier trained anew."""
    return await _with_worker(request, [await _ask_for(request, "retrain", "")])


async def status(request: Request) -> Done:
    """Jobs, the live version, sources, ratings and hand-offs at a glance."""
    engine = request.engine
    parts = [
        "**Jobs**",
        await overviews.jobs_overview(engine),
        "**Classifier**",
        await overviews.live_overview(engine),
        "**Sources**",
        await overviews.sources_overview(engine, list(request.administration.sources)),
        "**People**",
        await overviews.activity_overview(engine),
    ]
    return Done("\n\n".join(parts))


async def sources(request: Request) -> Done:
    """The sources, their size and their last reindex."""
    names = list(request.administration.sources)
    return Done(await overviews.sources_overview(request.engine, names))


async def channel(request: Request) -> Done:
    """Show or set which unmentioned messages of this channel are answered."""
    caller, wanted = request.caller, request.arguments.lower()
    if caller.channel is None:
        raise CommandError(
            "This is no channel: here I answer every message. Say it in the channel that you mean."
        )
    place = Place(caller.platform, caller.workspace, caller.channel)
    if wanted and wanted not in MODES:
        raise CommandError(
            f"There is no mode “{literal(wanted)}”.{_nearest(wanted, MODES)} There are: "
            f"{_listed(MODES)}."
        )
    if wanted:
        await conversations.set_mode(request.engine, place, wanted, caller.person)
        return Done(
            f"From now on, in this channel: {MODES[wanted]} (`{wanted}`). I see only channels that "
            "I was invited to."
        )
    known = await conversations.channels(request.engine, caller.platform, caller.workspace)
    modes = {each.id: each.mode for each in known}
    mode = modes.get(caller.channel) or request.administration.modes.get(caller.channel, "mention")
    others = "\n".join(f"- `{name}`: {what}" for name, what in MODES.items() if name != mode)
    return Done(f"In this channel: {MODES[mode]} (`{mode}`).\n\nIt can also be:\n\n{others}")


async def list_versions(request: Request) -> Done:
    """The classifier versions with their figures."""
    return Done(await overviews.versions_overview(request.engine))


async def rollback(request: Request) -> Done:
    """Make an earlier classifier version live again."""
    return await _make_live(request, "rollback", is_rollback=True)


async def promote(request: Request) -> Done:
    """Make a version live, even one that the gate refused."""
    if not set(request.arguments.split()) - {FORCE}:
        raise CommandError("Say which version, such as `promote 7 --force`. `versions` lists them.")
    return await _make_live(request, "promote", is_rollback=False)


async def _make_live(request: Request, name: str, *, is_rollback: bool) -> Done:
    words = request.arguments.split()
    is_forced = FORCE in words
    numbers = [word for word in words if word != FORCE]
    if len(numbers) > 1 or not all(word.isdecimal() and len(word) <= 9 for word in numbers):
        raise CommandError(
            f"Say the number of a version, such as `{name} 7`"
            f"{', or none for the one before the live one' if is_rollback else ''}. `versions` "
            "lists them."
        )
    version = int(numbers[0]) if numbers else None
    done = await versions.roll_back(
        request.engine, request.administration.serving, request.caller.name, version,
        is_forced=is_forced, is_rollback=is_rollback,
    )  # fmt: skip
    instead = f" instead of version {done.former_id}" if done.former_id is not None else ""
    return Done(
        f"Version {done.version.id} is live{instead}. Every process follows within "
        f"{POLL_SECONDS:.0f} seconds."
    )


async def list_gaps(request: Request) -> Done:
    """The questions that the documents did not answer well."""
    listing = await answer_lists.gaps_listing(request.engine, request.administration.encode)
    return Done(listing.text, listing=listing)


async def answers(request: Request) -> Done:
    """The approved answers, or one of them renewed or withdrawn."""
    days = request.administration.renew_after_days
    by = request.caller.name
    listing = await answer_lists.answers_command(request.engine, request.arguments, by, days)
    return Done(listing.text, listing=listing)


async def review(request: Request) -> Done:
    """The question that it is best to settle next."""
    person = Person(request.caller.platform, request.caller.person)
    page = await reviewing.following(request.administration.reviews, person)
    return Done(reviewing.as_markdown(page), page=page)


async def forget(request: Request) -> Done:
    """Forget a person."""
    return Done(str(await forgetting.forget(request.engine, _person(request))))


async def bar(request: Request) -> Done:
    """Leave a person out of learning; without one, who is left out."""
    if not request.arguments:
        return Done(await overviews.barred_overview(request.engine))
    return Done(await forgetting.bar(request.engine, _person(request), request.caller.name))


async def unbar(request: Request) -> Done:
    """Learn from a person again."""
    return Done(await forgetting.unbar(request.engine, _person(request)))


async def explain(request: Request) -> Done:
    """The commands that the caller may use."""
    shown = [each for each in COMMANDS.values() if request.caller.is_admin or each.is_for_everyone]
    lines = [f"- `{each.usage}`: {each.purpose}" for each in shown]
    opening = "Ask me anything: mention me in a channel, or write me a message."
    what = "For admins there is:" if request.caller.is_admin else "Besides there is:"
    return Done("\n".join([opening, "", what, "", *lines]))


async def _ask_for(request: Request, kind: str, key: str) -> tuple[int, str]:
    """The id of the job that does it, and a sentence that names it."""
    switches = {jobs.ASKED} if kind == "retrain" else set()
    asked = await jobs.request(request.engine, kind, key, request.caller.name, switches)
    what = f"The source **{literal(key)}**" if key else "The classifier"
    verb = "reindexed" if kind == "reindex" else "retrained"
    if asked.is_new:
        return asked.job_id, f"{what} is being {verb}: that is job {asked.job_id}."
    doing = "runs" if asked.state == "running" else "waits to run"
    return asked.job_id, f"{what} is being {verb} already: job {asked.job_id} {doing}."


async def _with_worker(request: Request, asked: Collection[tuple[int, str]]) -> Done:
    sentences = [sentence for _, sentence in asked]
    if not await jobs.is_worked(request.engine):
        sentences.append(overviews.NO_WORKER)
    return Done("\n\n".join(sentences), tuple(dict.fromkeys(job_id for job_id, _ in asked)))


def _person(request: Request) -> Person:
    return forgetting.person_of(request.arguments, request.caller.platform)


def _clean(words: str) -> str:
    """The words on one line, without what no database stores: NUL and halves of surrogates."""
    storable = words.encode("utf-8", "ignore").decode().replace("\0", "")
    return " ".join(storable.split())[:MAX_ARGUMENTS]


def _nearest(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word.lower(), list(known), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


COMMANDS = {
    "reindex": Command(reindex, "reindex [source]", "bring one source, or all, up to date"),
    "retrain": Command(retrain, "retrain", "train the classifier anew"),
    "status": Command(status, "status", "jobs, live version, sources and ratings at a glance"),
    "sources": Command(sources, "sources", "the sources and how their last reindex went"),
    "channel": Command(
        channel, "channel [mode]", f"what I answer in this channel: {', '.join(MODES)}"
    ),
    "versions": Command(list_versions, "versions", "the trained classifier versions"),
    "rollback": Command(
        rollback, "rollback [version]", "make an earlier classifier version live again"
    ),
    "promote": Command(
        promote, "promote version [--force]", "make a version live, with --force a refused one too"
    ),
    "gaps": Command(list_gaps, "gaps", "what people asked and the documents did not answer well"),
    "review": Command(review, "review", "settle what questions were about, one after the other"),
    "forget": Command(forget, "forget [person]", "delete all that is stored of a person"),
    "bar": Command(bar, "bar [person]", "no longer learn from a person, or list who is barred"),
    "unbar": Command(unbar, "unbar [person]", "learn from a person again"),
    "answers": Command(
        answers, "answers [renew|withdraw number]", "the answers that admins approved"
    ),
    "help": Command(explain, "help", "this list", is_for_everyone=True),
}  # one line for each command

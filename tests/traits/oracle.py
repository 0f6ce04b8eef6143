"""The rows of both jobs, computed user by user as plainly as possible."""

import json
import re
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from tests.traits.sites import Site

Traits = dict[tuple[int, str], tuple[Decimal, int]]
Sets = dict[tuple[int, int], str | None]


def interest_sets(site: Site) -> tuple[Sets, Sets]:
    """(user, interest) and (user, subject) -> the earliest time, as text."""
    live = live_users(site)
    times: dict[str, dict[tuple[int, int], list[str]]] = {"interest": defaultdict(list), "subject": defaultdict(list)}
    rows = site.query('SELECT "userId", "subjectId", "interestId", "createdAt"::timestamptz::text FROM "UserInterest"')
    for user, subject, interest, created in rows:
        if user in live and interest is not None:
            times["interest"][user, interest] += usable(created)
        if user in live and subject is not None:
            times["subject"][user, subject] += usable(created)
    interests, subjects = ({key: earliest(found) for key, found in times[kind].items()} for kind in times)
    return interests, subjects


def earliest(times: list[str]) -> str | None:
    """The earliest of UTC times as PostgreSQL writes them."""
    return min(times) if times else None


def usable(time: str | None) -> list[str]:
    """The time in a list, as PostgreSQL writes it; [] outside the years that Python can read."""
    return [time] if time and re.fullmatch(r"\d{4}-[^B]*", time) else []


def stored_sets(site: Site) -> tuple[Sets, Sets]:
    interests = site.query('SELECT "userId", "interestId", "createdAt"::text FROM "InterestUserSet"')
    subjects = site.query('SELECT "userId", "subjectId", "createdAt"::text FROM "InterestSubjectUserSet"')
    return {(user, one): at for user, one, at in interests}, {(user, one): at for user, one, at in subjects}


def live_users(site: Site) -> set[int]:
    return {user for (user,) in site.query('SELECT "id" FROM "User" WHERE "deletedAt" IS NULL')}


def user_traits(site: Site) -> tuple[Traits, dict[int, Counter[str]]]:
    """All traits, and for each user with results the number of unusable answers."""
    live = live_users(site)
    quiz_of = dict(site.query('SELECT "id"::text, "quizId" FROM "QuizQuestion"'))
    options: dict[tuple[str, str], Any] = {}
    for question, value, values in site.query(
        'SELECT "questionId"::text, "value", "traitValues"::text FROM "QuizOption" ORDER BY "id"'
    ):
        options.setdefault((question, value), read(values))
    said: dict[tuple[int, str], list[Fraction]] = defaultdict(list)
    odd: dict[int, Counter[str]] = {}
    for user, quiz, answers in (result for result in results_of(site) if result[0] in live):
        reasons = odd.setdefault(user, Counter())
        if quiz is None:
            reasons["result-without-quiz"] += 1
            continue
        given = read(answers)
        if not isinstance(given, dict):
            reasons["answers-malformed"] += 1
            continue
        for question, answer in given.items():
            if quiz_of.get(question) != quiz:
                reasons["answer-unknown-question"] += 1
            elif answer is None:
                reasons["answer-null"] += 1
            elif isinstance(answer, list | dict):
                reasons["answer-malformed"] += 1
            elif (question, as_text(answer)) not in options:
                reasons["answer-unknown-option"] += 1
            else:
                count(options[question, as_text(answer)], user, said, reasons)
    return {key: (mean(values), len(values)) for key, values in said.items()}, odd


def results_of(site: Site) -> list[tuple[int, int | None, str | None]]:
    """The latest result of each user and quiz, and all results without a quiz."""
    latest: dict[tuple[int, int], tuple[str, str | None]] = {}
    nowhere: list[tuple[int, int | None, str | None]] = []
    for user, quiz, answers, at in site.query(
        'SELECT "userId", "quizId", "answers"::text, "updatedAt"::timestamptz::text FROM "QuizResult"'
    ):
        if quiz is None:
            nowhere.append((user, None, answers))
        else:
            this = ("".join(usable(at)), answers)
            latest[user, quiz] = max(latest.get((user, quiz), this), this, key=lambda it: (it[0], it[1] or ""))
    return nowhere + [(user, quiz, answers) for (user, quiz), (_, answers) in latest.items()]


def count(values: Any, user: int, said: dict[tuple[int, str], list[Fraction]], reasons: Counter[str]) -> None:
    """Count what an option says."""
    if values is None:
        return
    if not isinstance(values, dict):
        reasons["trait-values-malformed"] += 1
        return
    for key, value in values.items():
        if not isinstance(value, Decimal) or len(key) > 200:
            reasons["trait-value-malformed"] += 1
        else:
            said[user, key].append(max(Fraction(-10), min(Fraction(10), Fraction(value))))


def mean(values: list[Fraction]) -> Decimal:
    """Rounded to two decimals, halves away from zero."""
    hundredths = sum(values, Fraction(0)) / len(values) * 100
    whole = int(abs(hundredths) + Fraction(1, 2))
    return (Decimal(whole if hundredths >= 0 else -whole) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)


def read(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal, parse_int=Decimal)


def as_text(answer: str | bool | Decimal) -> str:
    """The answer as the text of an option's value."""
    if isinstance(answer, bool):
        return "true" if answer else "false"
    return format(answer, "f") if isinstance(answer, Decimal) else str(answer)


def stored_traits(site: Site) -> Traits:
    rows = site.query('SELECT "userId", "traitKey", "value", "n" FROM "UserTrait"')
    return {(user, key): (value, n) for user, key, value, n in rows}

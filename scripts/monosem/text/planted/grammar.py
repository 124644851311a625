"""Arabic and Hebrew sentences from a seeded grammar: agreement in gender, verb forms, numbers, dates, questions.

Every sentence belongs to one split by its hash, so no sentence of one split occurs in another.
"""

import functools
import hashlib
from random import Random
from types import ModuleType

from scripts.monosem.text.planted import lexicon_arabic, lexicon_hebrew

SPLITS = ("train", "validation", "test")


def _words(text: str, comma: str) -> list[str]:
    return [word.strip() for word in text.split(comma)]


def _noun(random: Random, words: list[str]) -> tuple[str, bool]:
    """A noun, and True if it is feminine."""
    word = random.choice(words)
    return word.rstrip("*"), word.endswith("*")


@functools.cache
def _lists(lexicon: ModuleType, topic: str, comma: str) -> dict[str, list[str]]:
    of_topic = {name: _words(text, comma) for name, text in lexicon.TOPICS[topic].items()}
    shared = {name.lower(): _words(getattr(lexicon, name), comma) for name in ("TIMES", "CONNECTORS", "REASONS")}
    return of_topic | shared


def _arabic_past(verb: str, feminine: bool) -> str:
    """Feminine past: كتب gives كتبت, سقى gives سقت; a preposition stays where it is."""
    word, _, rest = verb.partition(" ")
    if feminine:
        word = (word[:-1] if word.endswith("ى") else word) + "ت"
    return f"{word} {rest}".strip()


def _arabic_present(verb: str, feminine: bool) -> str:
    return "ت" + verb[1:] if feminine else verb


def arabic_sentence(random: Random, topic: str) -> str:
    """One Arabic sentence: verb, subject, object order, with the adjective agreeing with its noun."""
    lists = _lists(lexicon_arabic, topic, "،")
    pick = {name: random.choice(lists[name]) for name in ("places", "times", "connectors", "reasons")}
    agent, agent_f = _noun(random, lists["agents"])
    thing, thing_f = _noun(random, lists["objects"])
    other, _ = _noun(random, lists["objects"])
    past, present = random.choice(lists["verbs"]).split("/")
    past_2 = random.choice(lists["verbs"]).split("/")[0]
    adjective = random.choice(lists["adjectives"]) + ("ة" if thing_f else "")
    did, does = _arabic_past(past, agent_f), _arabic_present(present, agent_f)
    then = _arabic_past(past_2, agent_f)
    year, count, share = random.randint(1100, 2020), random.randint(12, 9800), random.randint(3, 97)
    sentence = random.choice(
        (
            f"{did} {agent} {thing} ال{adjective} {pick['places']} {pick['times']}.",
            f"{did} {agent} {thing} {pick['places']}، ثم {then} {other} {pick['reasons']}.",
            f"في عام {year}، {did} {agent} {thing} ال{adjective}.",
            f"{'تقول' if agent_f else 'يقول'} {agent} إن {thing} {adjective}، {pick['reasons']}.",
            f"هل {did} {agent} {thing} ال{adjective} {pick['places']}؟",
            f"{'كانت' if thing_f else 'كان'} {thing} {adjective}{'' if thing_f else 'ا'} جدا {pick['times']}.",
            f"سوف {does} {agent} {thing} {pick['places']}، {pick['reasons']}.",
            f"{does} {agent} {thing} ال{adjective} كل يوم {pick['places']}.",
            f"{did} {agent} {thing}، فقد بلغ العدد {count} أي {share}٪ من المجموع.",
            f"قال {agent if not agent_f else 'الرجل'}: «{thing} {adjective}، و{other} {pick['places']}».",
        )
    )
    return f"{pick['connectors']}، {sentence}" if random.random() < 0.2 else sentence


def hebrew_sentence(random: Random, topic: str) -> str:
    """One Hebrew sentence: definite objects after את, verb and adjective agreeing in gender."""
    lists = _lists(lexicon_hebrew, topic, ",")
    pick = {name: random.choice(lists[name]) for name in ("places", "times", "connectors", "reasons")}
    agent, agent_f = _noun(random, lists["agents"])
    thing, thing_f = _noun(random, lists["objects"])
    other, _ = _noun(random, lists["objects"])
    verb, verb_2 = (random.choice(lists["verbs"]).split("/") for _ in range(2))
    did, does, then = verb[agent_f], verb[2 + agent_f], verb_2[agent_f]
    adjective = random.choice(lists["adjectives"]).split("/")[thing_f]
    year, count, share = random.randint(1100, 2020), random.randint(12, 9800), random.randint(3, 97)
    sentence = random.choice(
        (
            f"{agent} {did} את {thing} ה{adjective} {pick['places']} {pick['times']}.",
            f"{pick['times']} {did} {agent} את {thing} {pick['places']}, ולאחר מכן {then} את {other}.",
            f"בשנת {year} {did} {agent} את {thing} ה{adjective}.",
            f"לדברי {agent}, {thing} {adjective}, {pick['reasons']}.",
            f"האם {agent} {did} את {thing} ה{adjective} {pick['places']}?",
            f"{thing} {'הייתה' if thing_f else 'היה'} {adjective} מאוד {pick['times']}.",
            f"{agent} {does} את {thing} {pick['places']}, {pick['reasons']}.",
            f"בכל יום {does} {agent} את {thing} ה{adjective} {pick['places']}.",
            f"{agent} {did} את {thing}: בסך הכול {count} פעמים, שהן {share}% מהכלל.",
            f"„{thing} {adjective}”, {'אמרה' if agent_f else 'אמר'} {agent} {pick['places']}.",
        )
    )
    return f"{pick['connectors']}, {sentence}" if random.random() < 0.2 else sentence


SENTENCES = {"arabic": (arabic_sentence, lexicon_arabic), "hebrew": (hebrew_sentence, lexicon_hebrew)}


def split_of(sentence: str) -> str:
    """The only split that may contain a sentence, by its hash."""
    return SPLITS[hashlib.sha256(sentence.encode()).digest()[0] % len(SPLITS)]


def passage(language: str, random: Random, split: str, n_characters: int) -> str:
    """Sentences of one topic in paragraphs, of at least `n_characters`, all of them of `split`."""
    sentence_of, lexicon = SENTENCES[language]
    topic = random.choice(list(lexicon.TOPICS))
    text = ""
    while len(text) < n_characters:
        sentence = sentence_of(random, topic)
        if split_of(sentence) == split:
            text += ("" if not text else "\n\n" if random.random() < 0.08 else " ") + sentence
    return text

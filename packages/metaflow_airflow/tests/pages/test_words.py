"""The words of the pages stand in one place: nowhere else is there a text for people."""

import re
from pathlib import Path

import pytest
from metaflow_airflow import pages
from metaflow_airflow.pages.words import IN_SCRIPT, WORDS, say

FOLDER = Path(pages.__file__).parent
SCRIPT = (FOLDER / "static" / "pages.js").read_text()
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
SPOKEN = re.compile(r'\b(?:title|alt|placeholder|aria-label)="([^"]*)')


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(template):
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", template.read_text(), flags=re.DOTALL)

    assert [said for said in SPOKEN.findall(text) if re.search(r"[A-Za-z]", said)] == []
    text = re.sub(r"<[^>]*>|/[\w-]+", "", text)  # what is left of tags and addresses
    assert re.findall(r"[A-Za-z]+", text) == []


def test_each_word_is_said_somewhere_and_each_that_is_said_is_there():
    texts = [path.read_text() for path in (*TEMPLATES, *FOLDER.glob("*.py"))]
    said = {word for text in texts for word in re.findall(r'\bsay\(\s*"(\w+)"', text)}

    assert said | set(IN_SCRIPT) == set(WORDS)
    assert set(re.findall(r"WORDS\.(\w+)", SCRIPT)) == set(IN_SCRIPT)


def test_a_sentence_without_one_of_its_parts_is_an_error():
    assert say("no_run", dag="D", run="r") == "D has no run r."
    with pytest.raises(KeyError):
        say("no_run", dag="D")

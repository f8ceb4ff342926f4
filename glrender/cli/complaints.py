"""What the reader of options complains of, in the words of this program."""

import re

_VALUE = re.compile(
    r"Error parsing (?P<option>\S+): (?:"
    r"no type matching (?P<kinds>.+) could be instantiated from \[(?P<several>.*?)\]\."
    r"|Could not parse arguments \[(?P<tuple>.*?)\] into tuple type typing\.Tuple\[(?P<types>.+)\]"
    r"|invalid literal for int\(\) with base 10: (?P<int>'.*')"
    r"|could not convert string to float: (?P<float>'.*')"
    r")"
)
"""How tyro begins to tell of a value that is none: its words, those of the types of our own options, or Python's."""

_CHOICE = re.compile(
    r"invalid choice (?P<received>.+) for argument '(?P<option>.+)'\. Expected one of \((?P<valid>.*)\)"
)


def told_in_one_line(text: str) -> str:
    """What tyro says in a framed box of several paragraphs, as one line without its own pointer to the help."""
    text = re.sub(r"\x1b\[[0-9;]*m|\[/?bold\]", "", text)
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines()[1:]:  # the first is the frame, with a title that the text repeats
        words = line.strip("│ ")
        if set(words) <= set("─-╰╯"):
            paragraphs.append([])
        else:
            paragraphs[-1].append(words)
    said = (" ".join(paragraph) for paragraph in paragraphs)
    line = "; ".join(part for part in said if part and not part.startswith(("For full helptext", "Argument helptext")))
    if (value := _VALUE.match(line)) is not None:
        return _bad_value(value)
    if (choice := _CHOICE.match(line)) is not None:
        # Of an option that may be left out, the order is that of a set, which has its None, too.
        valid = sorted({name.strip("' ") for name in choice["valid"].split(",")} - {"None", ""})
        return f"{choice['option']}: received {choice['received']}, expected one of {', '.join(valid)}"
    return line


def _bad_value(value: re.Match[str]) -> str:
    if value["kinds"] is not None:
        received, expected = value["several"], re.sub("[{}]", "", value["kinds"])
    elif value["types"] is not None:
        received, expected = value["tuple"], value["types"].upper().replace(",", "")
    elif value["int"] is not None:
        received, expected = value["int"], "INT"
    else:
        received, expected = value["float"], "FLOAT"
    return f"{value['option']}: received {received}, expected {expected}"

"""The replies that stand in the sources, found by their form: a code, an enhanced code, a text."""
import glob
import os
import re

STRING = r'"(?:[^"\\]|\\.)*"'
TEXT = rf'((?:{STRING}\s*|EHLO_FIRST\s*)+)'
FORM = re.compile(r'(?<![\w.])([45]\d\d),\s*(?:SLICE(?:_INIT)?\()?"([245]\.\d+\.\d+|)"\)?,\s*'
                  rf'(?:SLICE(?:_INIT)?\(|arena_printf\([^"]*?)?{TEXT}')
# What we say ourselves of another server, in the place of a reply of its own.
OWN = re.compile(r'(?<!\d, )SLICE(?:_INIT)?\("([45]\.\d+\.\d+)"\),\s*(?:\.text\s*=\s*)?'
                 rf'(?:SLICE(?:_INIT)?\(|arena_printf\([^"]*?)?((?:{STRING}\s*)+)')
MACROS = {  # whose first argument but for a name is the text
    r'BAD\(\w+,\s*': ("501", "5.5.4", "Error: "),
    r'(?<!_)SYNTAX\(': ("501", "5.5.4", "Syntax: "),
    r'PLAIN_SYNTAX\(': ("501", "", "Syntax: "),
    r'\[PHASE_\w+\] = SLICE_INIT\((?="E)': ("503", "5.5.1", ""),
}
ROOMS = ("smtp", "mail", "roles")


def unquoted(strings):
    return "".join(part[1:-1] for part in re.findall(STRING, strings)).replace('\\"', '"')


def replies(top):
    """(file, code, enhanced code, text with %s where the program fills something in)"""
    found = set()
    for room in ROOMS:
        for path in glob.glob(os.path.join(top, "src", room, "*.c")):
            if path.endswith("_test.c"):
                continue
            with open(path, encoding="utf-8") as f:
                source = f.read()
            name = os.path.basename(path)
            for match in FORM.finditer(source):
                text = re.sub(r"%(?:\.\*)?(?:ll|z)?[sdu]", "%s", unquoted(match[3]))
                if text not in ("", "Error: ", "Syntax: "):
                    found.add((name, match[1], match[2], text))
            for match in OWN.finditer(source):
                text = re.sub(r"%(?:\.\*)?(?:ll|z)?[sdu]", "%s", unquoted(match[2]))
                if text:
                    found.add((name, "", match[1], text))
            for macro, (code, enhanced, begin) in MACROS.items():
                for match in re.finditer(macro + TEXT, source):
                    found.add((name, code, enhanced, begin + unquoted(match[1])))
    return sorted(found)

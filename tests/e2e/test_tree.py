# SPDX-License-Identifier: MIT
"""tests/circles on a tree of two files, and tests/check-tree.sh on a copy of the source with two added files: the
circles that they report."""

import os
import pathlib
import shlex
import shutil
import subprocess

import pytest

TESTS = pathlib.Path(os.environ.get("TEST_SRCDIR", pathlib.Path(__file__).resolve().parents[1])).resolve()
LICENCE = "SPDX-License-Identifier: MIT"
COMPILER = shlex.split(os.environ.get("CHECK_CC", "cc"))

pytestmark = [
    pytest.mark.skipif(not (TESTS / "circles").is_file(), reason="needs the source tree"),
    pytest.mark.skipif(not shutil.which(COMPILER[0]), reason="needs a C compiler"),
]


class Tree:
    """Sources in src/a, their objects in objects/a."""

    def __init__(self, root):
        self.root, self.src, self.objects = root, root / "src", root / "objects"

    def file(self, name, text):
        (self.src / name).parent.mkdir(parents=True, exist_ok=True)
        (self.src / name).write_text(text)
        if name.endswith(".c"):
            target = (self.objects / name).with_suffix(".o")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([*COMPILER, f"-I{self.src}", f"-I{self.root}", "-c", self.src / name, "-o", target], check=True)
        return self.src / name

    def circles(self, *options, objects=True):
        command = [TESTS / "circles", *options, self.src, *([self.objects] if objects else [])]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


ONE = "int two(void); int one(void) { return two(); }\n"
TWO = "int one(void); int two(void) { return one(); }\n"
MAIN = "int main(void) { return 0; }\n"
LEAF = "int two(void) { return 2; }\n"

CALLS = """\
circle of calls: a/one, a/two
    a/one calls a/two: two
    a/two calls a/one: one
"""


def test_files_that_call_each_other_are_a_circle_until_one_call_is_taken_out(tree):
    tree.file("a/one.c", ONE)
    tree.file("a/two.c", TWO)
    assert tree.circles() == (1, CALLS)
    tree.file("a/two.c", LEAF)
    assert tree.circles() == (0, "")


def test_a_circle_of_three_is_told_once_and_without_the_files_that_only_use_it(tree):
    tree.file("a/one.c", ONE)
    tree.file("a/two.c", "int three(void); int two(void) { return three(); }\n")
    tree.file("b/three.c", "int one(void); int three(void) { return one(); }\n")
    tree.file("b/top.c", "int one(void); int main(void) { return one(); }\n")
    code, text = tree.circles()
    assert code == 1
    assert text.count("circle of") == 1
    assert "circle of calls: a/one, a/two, b/three\n" in text


def test_a_function_in_a_table_is_called(tree):
    tree.file("a/one.c", "int two(void); int (*const table[])(void) = {two};\n")
    tree.file("a/two.c", "extern int (*const table[])(void); int two(void) { return table[0](); }\n")
    assert tree.circles() == (1, CALLS.replace(": one", ": table"))


def test_an_object_whose_source_is_gone_counts_for_nothing(tree):
    tree.file("a/one.c", ONE)
    tree.file("a/two.c", TWO).unlink()
    assert tree.circles() == (0, "")


def test_objects_that_are_not_there_are_a_mistake(tree):
    tree.file("a/one.c", ONE)
    shutil.rmtree(tree.objects / "a")
    code, text = tree.circles()
    assert (code, text) == (1, f"circles: no object of {tree.src} is in {tree.objects}\n")


def test_objects_without_symbols_are_said_to_be_no_help(tree):
    tree.file("a/one.c", "")
    assert tree.circles() == (0, "circles: the objects show no symbols; circles of calls were not looked at\n")


def test_headers_that_include_each_other_are_a_circle(tree):
    tree.file("a/one.h", '#include "a/two.h"\n')
    tree.file("a/two.h", '#include "a/one.h"\n')
    assert tree.circles(objects=False) == (
        1,
        "circle of includes: a/one.h, a/two.h\n    a/one.h includes a/two.h\n    a/two.h includes a/one.h\n",
    )
    # A source that includes both is in no circle, nor is its header.
    tree.file("a/two.h", "")
    tree.file("a/two.c", '#include "a/one.h"\n#include "a/two.h"\n' + LEAF)
    assert tree.circles() == (0, "")


def test_an_include_in_angle_brackets_is_an_include(tree):
    tree.file("a/one.h", "# include <a/two.h>\n")
    tree.file("a/two.h", '#include "a/one.h"\n')
    code, text = tree.circles(objects=False)
    assert code == 1 and "circle of includes: a/one.h, a/two.h" in text


def test_a_weak_function_is_called_as_any_other(tree):
    tree.file("a/one.c", ONE)
    tree.file("a/two.c", TWO.replace("int two", "__attribute__((weak)) int two"))
    assert tree.circles() == (1, CALLS)


def test_a_call_of_a_higher_folder_is_reported(tree):
    tree.file("a/low/one.c", ONE)
    tree.file("a/high/two.c", LEAF)
    assert tree.circles("--layers", "a/high a/low") == (0, "")
    assert tree.circles("--layers", "a") == (0, "")
    assert tree.circles("--layers", "a/low a/high") == (1, "upwards: a/low/one calls a/high/two: two\n")


UNUSED = "a/one: one is used by no other file, and its header does not say why it is there\n"


def test_a_function_that_no_other_file_uses_is_reported_unless_its_header_says_why(tree):
    tree.file("a/one.c", "int two(void); static int hidden(void) { return 1; } int one(void) { return two() + hidden(); }\n")
    tree.file("a/two.c", LEAF)
    assert tree.circles("--unused") == (1, UNUSED)
    for header in (
        "/* For tests: the number. */\nint one(void);\n",
        "int one(void); /* for tests */\n",
        "/* The number. No\n * caller yet. */\nint none(\n\tvoid);\nint one(\n\tvoid);\n",
    ):
        tree.file("a/one.h", header)
        assert tree.circles("--unused") == (0, "")
    # A remark about another function does not count for this one.
    for header in (
        "/* For tests. */\nint two(void);\n/* The number. */\nint one(void);\n",
        "/* For tests. */\nint two(void);\n\nint one(void);\n",
        "int two(void); /* for tests */\nint one(void);\n",
    ):
        tree.file("a/one.h", header)
        assert tree.circles("--unused") == (1, UNUSED)


def test_an_object_that_no_other_file_uses_is_reported_as_a_function_is(tree):
    tree.file("a/one.c", "const int one[] = {1};\n")
    assert tree.circles("--unused") == (1, UNUSED)
    tree.file("a/one.h", "extern const int one[]; /* for tests */\n")
    assert tree.circles("--unused") == (0, "")


def test_a_header_that_says_no_caller_yet_is_reported_when_there_is_one(tree):
    tree.file("a/one.c", "int two(void); int main(void) { return two(); }\n")
    tree.file("a/two.c", LEAF)
    tree.file("a/two.h", "/* The number. No caller yet. */\nint two(void);\n")
    assert tree.circles("--unused") == (1, "a/two: two has a caller, and its header says: no caller yet\n")


@pytest.fixture
def check_tree(tree):
    """check_tree(one=…, two=…, behind={file: text}): runs tests/check-tree.sh on a copy of the source in which
    src/base/one.c and two.c are added, and texts at the end of files. Returns its exit status and output."""
    shutil.copytree(TESTS.parent / "src", tree.src)
    for name in ("man", "doc"):
        shutil.copytree(TESTS.parent / name, tree.root / name)
    (tree.root / "tests").mkdir()
    for name in ("check-tree.sh", "check-docs.sh", "circles"):
        shutil.copy2(TESTS / name, tree.root / "tests" / name)
    for name in ("config.h", "HACKING.md"):
        (tree.root / name).write_text("")

    def run(one=MAIN, two=None, behind=None):
        for name, text in (("base/one.c", one), ("base/two.c", two)):
            if text:
                tree.file(name, f"/* {LICENCE} */\n#include <config.h>\n" + text)
        for name, text in {"base/module.am": "# src/base/one.c src/base/two.c\n", **(behind or {})}.items():
            with open(tree.src / name, "a") as file:
                file.write(text)
        command = ["sh", tree.root / "tests" / "check-tree.sh", tree.objects]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout

    return run


def test_check_tree_fails_where_two_files_are_planted_that_call_each_other(check_tree):
    assert check_tree(ONE, TWO) == (1, "check-tree: " + CALLS.replace("a/", "base/"))


def test_check_tree_fails_where_a_function_is_planted_that_nobody_calls(check_tree):
    assert check_tree(LEAF.replace("two", "one")) == (1, "check-tree: " + UNUSED.replace("a/", "base/"))


def test_check_tree_fails_where_explain_takes_something_from_the_pipeline(check_tree):
    code, said = check_tree(behind={"command/explain_internal.h": '#include "pipeline/turn.h"\n'})
    assert code == 1
    assert "src/command/explain_internal.h explains decisions and includes the pipeline: " in said


def test_check_tree_fails_where_an_include_stands_in_angle_brackets(check_tree):
    code, said = check_tree(behind={"base/text.h": "#include <pipeline/turn.h>\n"})
    assert code == 1
    assert 'src/base/text.h includes <pipeline/turn.h>: of this tree, so "pipeline/turn.h"' in said


def test_check_tree_fails_where_a_comment_names_a_document_that_is_not_in_the_tree(check_tree):
    section, file, page = "DESIGN sec" "tion 10", "notes/KLAVIYO" ".md", "man/deskbridge" ".9"
    good = "RFC 8259, section 2; man/deskbridge.8"
    code, said = check_tree(f"/* {section} */\n/* {file}, {page} */\n/* {good} */\n" + MAIN)
    assert code == 1
    assert [line for line in said.splitlines() if line.startswith("check-tree: ")] == [
        f"check-tree: a section of a document that is not in the tree: src/base/one.c:3:/* {section} */",
        f"check-tree: a comment names {page}, which is not there",
        f"check-tree: a comment names {file}, which is not there",
    ]


@pytest.mark.parametrize("file", ["base/text.h", "base/module.am"])
def test_check_tree_fails_where_a_file_does_not_say_its_licence(check_tree, tree, file):
    text = (tree.src / file).read_text()
    assert LICENCE in text
    (tree.src / file).write_text(text.replace(LICENCE, "License: MIT"))
    code, said = check_tree()
    assert code == 1
    assert f"src/{file} does not say its licence: {LICENCE}" in said


def test_check_tree_fails_where_a_header_of_unit_tests_holds_code_or_state(check_tree, tree):
    header = tree.root / "tests" / "unit" / "a" / "one.h"
    header.parent.mkdir(parents=True)
    header.write_text(
        f"/* {LICENCE} */\nstatic const int fixed = 1;\nstatic inline int three(int n)\n{{\n\tn++;\n\n\treturn n;\n}}\n")
    assert "a header of unit tests" not in check_tree()[1]
    with open(header, "a", encoding="utf-8") as file:
        file.write("static inline int four(void)\n{\n\tstatic int n;\n\n\tn++;\n\treturn n;\n}\nstatic int state;\n")
    code, said = check_tree()
    assert code == 1
    assert "\n".join([
        "check-tree: a header of unit tests holds code or state: tests/unit/a/one.h:11: static state",
        "tests/unit/a/one.h:10: a function of 4 lines",
        "tests/unit/a/one.h:16: static state",
    ]) in said


def test_check_tree_fails_where_a_banner_is_broken_in_two(check_tree):
    code, said = check_tree(behind={"base/text.c": "/* ---- broken ----\n */\n"})
    assert code == 1
    assert "a banner of more than one line: src/base/text.c" in said


@pytest.mark.parametrize(
    "literal",
    [
        '"DELETE FROM events WHERE state = 1"',
        '"DELETE FROM events WHERE state = "\n\t"1"\n\t" AND account = ?1"',
        '"SELECT 1 FROM webhooks WHERE " "wait IN ("\n\t"0, 1)"',
    ],
    ids=["whole", "split", "split in three"],
)
def test_check_tree_fails_where_sql_says_a_state_by_its_bare_number(check_tree, literal):
    code, said = check_tree(behind={"store/clean.c": f"const char *planted = {literal};\n"})
    assert code == 1
    assert "a number in SQL where store/numbers.h has a name: src/store/clean.c:" in said
    assert "schema.c" not in said


def test_check_tree_takes_the_name_of_a_state_on_the_next_line(check_tree):
    named = 'const char *planted = "DELETE FROM events WHERE state = "\n\tSQL_READY " LIMIT 1";\n'
    assert "numbers.h" not in check_tree(behind={"store/clean.c": named})[1]

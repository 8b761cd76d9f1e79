"""What a person reads: everything that matters, aligned, and nothing that steers the terminal."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.access_logs import OTHER_OUTPUT, LineCounts, SkippedLines
from recommender.mesh import MeshNote, WorkloadId
from recommender.received import BlindSpot
from recommender.recommendation.model import LeftOut, Note, Recommendations
from recommender.report import Report, render_table
from recommender.service_graph import UnknownPod
from recommender.sidecars import WrittenFiles
from tests.report.helpers import LEGACY, example, received_by, report, workload
from tests.sidecars.helpers import HOSTILE, recommendation

EXAMPLE = Path(__file__).with_name("example.txt")


def noted(*notes: Note, name: str = "shop/Deployment/a") -> Report:
    """Make a report of one workload with notes."""
    return report(recommendations=Recommendations((recommendation(name, notes=notes),)))


def left_out(*reasons: str) -> Report:
    """Make a report that leaves a workload out for each reason."""
    entries = [
        LeftOut(workload(f"shop/Pod/p{position:03}"), reason, "because")
        for position, reason in enumerate(reasons)
    ]
    return report(recommendations=Recommendations((), tuple(entries)))


def section(text: str, heading: str) -> str:
    """Cut the section out of a text whose heading begins with these words."""
    (found,) = [part for part in text.split("\n\n") if part.startswith(heading)]
    return found


def test_a_report_reads_like_this() -> None:
    assert render_table(example(), width=100) == EXAMPLE.read_text(encoding="utf-8")


def test_a_night_in_which_all_is_well_has_no_warning() -> None:
    notes = (MeshNote("objects of a kind that plays no part", "Event", 9),)
    other = tuple(SkippedLines(reason, 1, "a:1") for reason in sorted(OTHER_OUTPUT))
    lines = LineCounts(24 + len(other), 24, other)
    text = render_table(report("shop/Deployment/cart", mesh_notes=notes, lines=lines))

    assert "!" not in text
    assert text.startswith("Sidecars for 1 of 1 workload: 1 new\n")


@pytest.mark.parametrize(
    ("found", "warning"),
    [
        (report(istio_version_known=False), "Istio's version is not in the mesh dump"),
        (
            report(lines=LineCounts(3, 2, (SkippedLines("x", 1, "a:1"),))),
            "lost: 1 of 3 (33.3 %)",
        ),
        (
            report(lines=LineCounts(10**6, 10**6 - 1, (SkippedLines("x", 1, "a:1"),))),
            "(under 0.1 %)",
        ),
        (
            report(recommendations=Recommendations(unknown_pods=(UnknownPod("a", "b", 1),))),
            "Pods of no known workload: 1",
        ),
        (left_out("b", "a", "b"), "left out: 3 – b (2), a (1)"),
        (
            left_out("no proxy", "no proxy", "a", "not proved"),
            "4 – not proved (1), a (1), no proxy (2)",
        ),
        (report(mesh_notes=(MeshNote("x", "y", 3, is_loss=True),)), "could not be used: 3"),
        (noted(Note("x", "1"), Note("x", "2")), "with notes: 1 – x (1)"),
        (report(written=WrittenFiles(removed=("a/b.yaml",))), "files removed: 1"),
    ],
)
def test_what_asks_for_a_look_is_said_at_the_top(found: Report, warning: str) -> None:
    top = render_table(found).split("\n\n")[0]

    assert any(warning in line for line in top.splitlines() if line.startswith("! "))


def test_the_most_noteworthy_workloads_come_first() -> None:
    made = [
        recommendation("a/Deployment/plain"),
        recommendation("b/Deployment/noted", notes=(Note("thin evidence", "x"),)),
        recommendation("c/Deployment/urgent", notes=(Note("missed call", "x"),)),
    ]
    text = render_table(report(recommendations=Recommendations(tuple(made))), width=200)
    rows = section(text, "WORKLOAD").splitlines()[1:]

    assert [row.split()[0] for row in rows] == [
        "c/deployment/urgent",
        "b/deployment/noted",
        "a/deployment/plain",
    ]


def test_equal_notes_are_said_once_with_the_workloads() -> None:
    made = [
        recommendation(f"shop/Deployment/w{position}", notes=(Note("provider", "same"),))
        for position in range(11)
    ]
    text = render_table(report(recommendations=Recommendations(tuple(made))), width=400)

    assert "  provider: 11 workloads\n" in text
    assert text.count(": same") == 1
    assert "shop/deployment/w6 and 3 more: same\n" in text


def test_many_sentences_pods_and_places_are_cut_and_counted() -> None:
    notes = [Note("unknown destination", f"host{i:04} passes") for i in range(5000)]
    pods = tuple(UnknownPod("a", f"p{i:04}", i) for i in range(5000))
    mesh_notes = tuple(MeshNote("left out", f"Service a/s{i:04}") for i in range(5000))
    made = Recommendations((recommendation(notes=tuple(notes)),), unknown_pods=pods)
    text = render_table(report(recommendations=made, mesh_notes=mesh_notes))

    assert len(text.splitlines()) < 60
    assert "    and 4,990 more\n" in section(text, "Notes") + "\n"
    assert section(text, "Pods").endswith("\n  and 4,980 more")
    assert section(text, "Pods").splitlines()[1] == "  4,999  a/p4999"
    assert "Service a/s0007 and 4,992 more" in " ".join(section(text, "Mesh").split())


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_lines_keep_to_the_width_and_names_are_whole(width: int) -> None:
    text = render_table(example(), width=width)
    words = {word for line in text.splitlines() if len(line) > width for word in line.split()}

    assert LEGACY.lower() in text
    assert "shop/canary-7d9f8b6c5-x2x4z" in text
    assert not words or width < 80


def test_columns_are_aligned() -> None:
    rows = section(render_table(example(), width=160), "WORKLOAD").splitlines()
    arrows = {row.index("→") for row in rows[1:]}

    assert len(arrows) == 1
    assert len({row.rindex("/", 0, row.index(" 2026")) for row in rows[1:] if " 2026" in row}) == 1


def test_letters_of_double_width_keep_the_columns_aligned() -> None:
    made = (recommendation("日志/Pod/应用"), recommendation("a/Pod/b"))
    text = render_table(report(recommendations=Recommendations(made)))
    narrow, wide = sorted(section(text, "WORKLOAD").splitlines()[1:])

    assert narrow.index("911") == wide.index("911") + len("日志应用")


def test_notes_stand_beside_the_figures_where_there_is_room() -> None:
    wide, narrow = (render_table(example(), width=width) for width in (160, 100))

    assert re.search(r"SEEN  NOTES\n.*11-24  missed call, widened\n", wide)
    assert re.search(r"SEEN\n.*11-24\n    missed call, widened\n", narrow)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("colour", [False, True])
def test_foreign_text_cannot_steer_the_terminal(hostile: str, *, colour: bool) -> None:
    made = hostile_report(hostile)
    text = render_table(made, colour=colour)
    shown = re.sub(r"\x1b\[(?:1|1;33|0)m", "", text) if colour else text
    calm = render_table(hostile_report("x"))

    assert all(char == "\n" or char.isprintable() for char in shown)
    assert set(shown) - {"\n", "→", "–"} <= {chr(code) for code in range(0x20, 0x7F)}
    assert shown.count("\n\n") == calm.count("\n\n")


def hostile_report(text: str) -> Report:
    """Put a text wherever a report has text."""
    id_ = WorkloadId(text, text, text)
    made = recommendation(hosts=[text], notes=(Note(text, text),), name=text, workload=id_)
    return Report(
        recommendations=Recommendations(
            (made,),
            (LeftOut(id_, text, text, received=(received_by(id_, text),)),),
            (UnknownPod(text, text, 1),),
            (BlindSpot(text, 1),),
        ),
        lines=LineCounts(2, 1, (SkippedLines(text, 1, text),)),
        mesh_notes=(MeshNote(text, text),),
        istio_version=(1, 30),
        istio_version_known=False,
        out=text,
        written=WrittenFiles(created=(text,), changed=(text,), removed=(text,)),
    )


@settings(max_examples=50)
@given(st.text(min_size=1), st.integers(1, 200))
def test_any_text_and_width_can_be_shown(text: str, width: int) -> None:
    shown = render_table(hostile_report(text), width=width)

    assert all(char == "\n" or char.isprintable() for char in shown)


def test_colour_only_adds_colour() -> None:
    plain, coloured = (render_table(example(), colour=colour) for colour in (False, True))

    assert coloured != plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_an_empty_run_and_one_without_files_say_so() -> None:
    nothing = render_table(report(lines=LineCounts(), written=None, out=None))

    assert nothing == (
        "Sidecars for 0 of 0 workloads\n\n"
        "Log lines: 0 read, 0 used, 0 skipped\n\n"
        "Mesh dump: Istio 1.30\n\n"
        "No files written\n"
    )
    assert render_table(report()).endswith("\nFiles in sidecars: none\n")

from pathlib import Path

from certpipe.runtime.notebook import FileNotebook, NoNotebook
from tests.unit.runtime.fakes import ref


def test_what_is_in_hand_at_a_death_is_found_by_the_next_process(tmp_path: Path) -> None:
    first, one, two, three = FileNotebook(tmp_path / "in-hand"), ref(), ref(3), ref()
    with first.holding([three]):
        pass
    held = [first.holding([one, two]), first.holding([two])]
    for each in held:
        each.__enter__()
    assert set(FileNotebook(tmp_path / "in-hand").left()) == {one, two}


def test_clearing_forgets_what_was_left_and_not_what_is_in_hand_now(tmp_path: Path) -> None:
    before, now = ref(), ref()
    dead = FileNotebook(tmp_path).holding([before])
    dead.__enter__()
    notebook = FileNotebook(tmp_path)
    with notebook.holding([now]):
        assert notebook.left() == [before]
        notebook.clear()
        assert notebook.left() == []
        assert FileNotebook(tmp_path).left() == [now]
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_was_cut_short_is_no_suspicion(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b'[{"id": "0199')
    assert FileNotebook(tmp_path).left() == []


def test_without_a_notebook_nothing_is_left() -> None:
    with NoNotebook().holding([ref()]):
        assert NoNotebook().left() == ()

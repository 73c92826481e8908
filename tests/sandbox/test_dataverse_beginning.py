"""An environment that begins anew is what it first was: in memory, and in the file that the next process reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sandbox.dataverse import definitions, seed
from sandbox.dataverse.environment import Environment, RowSwitches
from sandbox.layout import Layout


def environment(layout: Layout) -> Environment:
    return Environment(layout, lambda: datetime(2026, 11, 27, tzinfo=UTC))


def everything(env: Environment) -> object:
    rows = {table: env.store.all(table) for table in env.schema.tables}
    return (
        env.schema.model_dump(),
        env.switches,
        rows,
        env.store.version,
        env.store.changes(0),
        env.store.queues_waiting(),
    )


def use(env: Environment) -> None:
    """A new row and a new column, a changed and a deleted row, a message that waits, and another switch."""
    column = definitions.column_from("account", {"name": "fab_Gone", "kind": "String"}, {}, custom=True)
    definitions.add_column(env.schema, "account", column)
    env.save_schema()
    env.set_switches(RowSwitches(closed_rows="read-only"))
    seller = env.layout.seller_user_id
    with env.store.transaction():
        seed.add(env, "account", "a" * 36, {"name": "Gone"})
        env.store.put("systemuser", seller, {**env.store.all("systemuser")[seller], "title": "Gone"})
        env.store.remove("team", next(iter(env.store.all("team"))))
        env.store.post("q", b"", {}, {}, 0.0)


def test_what_was_done_since_is_gone(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    env = environment(layout)
    seed.start(env)
    first = everything(env)
    for _ in range(2):  # what is put back must not change either
        use(env)
        assert everything(env) != first
        seed.start(env)
        assert everything(env) == first
    assert everything(environment(layout)) == first


def test_with_and_without_the_connector_are_two_beginnings(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    env = environment(layout)
    seed.start(env)
    first = everything(env)
    seed.start(env, with_custom=False)
    bare = everything(env)
    assert not env.store.all("sdkmessageprocessingstep")
    seed.start(env)
    assert everything(env) == first
    seed.start(env, with_custom=False)
    assert everything(env) == bare
    assert everything(environment(layout)) == bare

"""SQLAlchemy models that use every feature `sqlalchemy_to_limbeck` writes.

The interoperability run creates them with SQLAlchemy in an empty database and expects Limbeck to find no difference:
SQLAlchemy's own DDL is the judge of the translation.
"""

from __future__ import annotations

import enum
import sys

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.schema import conv

CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Color(enum.Enum):
    """Stored by member name, as SQLAlchemy does."""

    RED = 1
    DARK_BLUE = 2


class Tags(sa.types.TypeDecorator):
    """A decorated array."""

    impl = sa.ARRAY(sa.String(10))
    cache_ok = True


metadata = sa.MetaData(naming_convention=CONVENTION)

sa.Sequence("ticket_seq", metadata=metadata, start=100, increment=5, minvalue=100, maxvalue=9999, cache=3, cycle=True)
sa.Sequence("plain_seq", metadata=metadata, data_type=sa.Integer())

area = sa.Table(
    "area",
    metadata,
    sa.Column("code", sa.CHAR(3), primary_key=True),
    sa.Column("sub", sa.SmallInteger, primary_key=True),
    sa.Column("title", sa.String(80), nullable=False, unique=True),
    sa.Column("Mixed Case", sa.Text, comment="it's quoted"),
    sa.UniqueConstraint("title", "Mixed Case", deferrable=True, initially="DEFERRED"),
    comment="areas; 100% 'real'",
)

thing = sa.Table(
    "thing",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column(
        "small", sa.SmallInteger, sa.Identity(always=True, start=5, increment=2, minvalue=1, maxvalue=999, cycle=True)
    ),
    sa.Column("ticket", sa.Integer, sa.Sequence("client_seq"), nullable=False),
    sa.Column("area_code", sa.CHAR(3), index=True),
    sa.Column("area_sub", sa.SmallInteger),
    sa.Column("parent_id", sa.ForeignKey("thing.id", ondelete="SET NULL", deferrable=True, initially="DEFERRED")),
    sa.Column("color", sa.Enum(Color, name="color"), nullable=False, server_default="RED"),
    sa.Column("colors", sa.ARRAY(sa.Enum(Color, name="color")), server_default=sa.text("'{RED}'")),
    sa.Column("mood", sa.Enum("ok", "it's", name="Mood"), server_default=sa.text("'ok'::\"Mood\"")),
    sa.Column("size", sa.Enum("s", "m", "l", name="size", native_enum=False, create_constraint=True)),
    sa.Column("flag", sa.Boolean(name="flag", create_constraint=True), server_default=sa.true()),
    sa.Column(
        "price", sa.Numeric(10, 2), sa.CheckConstraint("price > 0 and price % 5 <> 1", name="priced"), server_default="0"
    ),
    sa.Column("ratio", sa.Float),
    sa.Column("exact", sa.Double),
    sa.Column("name", sa.String(50, collation="C"), server_default="it's"),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("lowered", sa.Text, sa.Computed("lower(email)", persisted=True)),
    sa.Column("data", sa.JSON().with_variant(pg.JSONB(), "postgresql"), server_default=sa.text("'{}'::jsonb")),
    sa.Column("raw", sa.JSON),
    sa.Column("blob", sa.LargeBinary),
    sa.Column("uid", sa.Uuid, server_default=sa.func.gen_random_uuid()),
    sa.Column("tags", Tags, server_default=sa.text("ARRAY['a']::varchar[]")),
    sa.Column("grid", sa.ARRAY(sa.Integer, dimensions=2)),
    sa.Column("address", pg.INET),
    sa.Column("during", pg.TSTZRANGE),
    sa.Column("wait", sa.Interval(), server_default=sa.text("interval '1 day'")),
    sa.Column("precise", pg.TIMESTAMP(timezone=True, precision=3), server_default=sa.func.now()),
    sa.Column("day", sa.Date, server_default=sa.text("CURRENT_DATE")),
    sa.ForeignKeyConstraint(
        ["area_code", "area_sub"], ["area.code", "area.sub"], onupdate="CASCADE", ondelete="RESTRICT", match="FULL"
    ),
    sa.CheckConstraint(sa.column("ratio").between(0, 1), name="ratio_in_range"),
    sa.CheckConstraint("exact <> 0", name=conv("ck_thing_exact")),
    sa.UniqueConstraint("uid", "ticket", postgresql_nulls_not_distinct=True, postgresql_include=["price"]),
    sa.UniqueConstraint("email", name="an_explicit_name", comment="one of each"),
    pg.ExcludeConstraint(
        (sa.column("during"), "&&"), (sa.func.lower(sa.column("email")), "="), name="no_overlap", where=sa.text("flag")
    ),
)
sa.Index(None, thing.c.name.desc().nulls_last(), thing.c.day)
sa.Index("thing_lower", sa.func.lower(thing.c.email), unique=True)
sa.Index("thing_pattern", thing.c.email, postgresql_ops={"email": "text_pattern_ops"}, postgresql_with={"fillfactor": 70})
sa.Index("thing_data", thing.c.data, postgresql_using="gin")
sa.Index("thing_partial", thing.c.price, postgresql_where=thing.c.flag.is_(True), postgresql_include=["email"])
sa.Index("thing_text", sa.text("upper(email) DESC NULLS LAST"), thing.c.name.collate("POSIX"))

long_name = sa.Table(
    "a_table_whose_name_takes_most_of_the_bytes_there_are",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True),
    sa.Column("a_column_with_a_long_name", sa.BigInteger, sa.ForeignKey("thing.id"), index=True),
)


if __name__ == "__main__":
    # python kitchen_sink.py URL: create everything in an empty database.
    with sa.create_engine(sys.argv[1]).begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS btree_gist"))
        metadata.create_all(connection)
